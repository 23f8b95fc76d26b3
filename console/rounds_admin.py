"""Signals in the admin, with what reaches every storey: having them judged again."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from console import rounds
from signals.admin import SignalAdmin
from signals.models import Signal

MOST_AT_ONCE = 50

admin.site.unregister(Signal)


@admin.register(Signal)
class JudgedSignalAdmin(SignalAdmin):
    """Rows stay read-only; a new round goes through the pipeline like everything else."""

    list_filter = [*SignalAdmin.list_filter, "degraded"]
    actions: Any = ["preview", "reevaluate", "export"]

    def has_reevaluate_permission(self, request: HttpRequest) -> bool:
        """It costs money: who may change the registry of models may decide."""
        return request.user.has_perm("evaluation.change_evaluationmodel")

    @admin.action(description="Say what judging the selected signals again would cost", permissions=["reevaluate"])
    def preview(self, request: HttpRequest, queryset: QuerySet[Signal]) -> None:
        """Nothing is started."""
        number = queryset.count()
        cost = rounds.preview(number)["cost_usd"]
        known = f"about {cost} USD" if cost is not None else "an amount nobody knows yet: a model has no price or no history"
        self.message_user(request, f"Judging {number} signals again would cost {known}.")

    @admin.action(description=f"Judge the selected signals again (at most {MOST_AT_ONCE})", permissions=["reevaluate"])
    def reevaluate(self, request: HttpRequest, queryset: QuerySet[Signal]) -> None:
        """A new round of each that is published; the others are left alone."""
        ids = list(queryset.order_by("received_at").values_list("pk", flat=True)[:MOST_AT_ONCE])
        started = sum(opened is not None for opened in rounds.start(ids, str(request.user), "From the admin."))
        level = messages.SUCCESS if started == len(ids) else messages.WARNING
        self.message_user(request, f"{started} of {len(ids)} signals are being judged again.", level)
