"""The dead letters: what could not be done, why, and the two things a person can do about it."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from audit.models import DeadLetter
from console.letters import requeue, settle
from console.rounds_admin import JudgedSignalAdmin
from core.admin import ReadOnly

__all__ = ["DeadLetterAdmin", "JudgedSignalAdmin"]

MOST_AT_ONCE = 50


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnly, admin.ModelAdmin[DeadLetter]):
    """Rows are read-only; the actions go through the pipeline like everything else."""

    list_display = ["created_at", "stage", "reason_code", "error_message", "status", "attempts", "retry_count", "event_id"]
    list_filter = ["status", "stage", "reason_code"]
    search_fields = ["event_id"]
    show_full_result_count = False
    actions = ["retry", "discard"]

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        """Looking is not enough: who may change dead letters may decide about them."""
        return request.user.has_perm("audit.change_deadletter")

    @admin.action(description=f"Retry the selected signals (at most {MOST_AT_ONCE})", permissions=["requeue"])
    def retry(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        """Back to where each stood; letters that are not open are left alone."""
        letters = list(queryset[:MOST_AT_ONCE])
        requeued = sum(requeue([letter.pk for letter in letters], str(request.user), "Retried in the admin."))
        self.message_user(request, f"{requeued} of {len(letters)} signals are on their way again.")

    @admin.action(description=f"Discard the selected letters (at most {MOST_AT_ONCE})", permissions=["requeue"])
    def discard(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        """Close them for good; their signals end failed."""
        discarded = sum(
            settle(letter.pk, DeadLetter.Status.DISCARDED, str(request.user), "Discarded in the admin.")
            for letter in list(queryset[:MOST_AT_ONCE])
        )
        self.message_user(request, f"{discarded} letters discarded.")
