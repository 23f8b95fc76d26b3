"""The ledger in the admin: read-only; what to do about a dead letter is done by the console's actions."""

from django.contrib import admin

from audit.models import DeadLetter, TimelineEntry
from core.admin import ReadOnly


@admin.register(TimelineEntry)
class TimelineEntryAdmin(ReadOnly, admin.ModelAdmin[TimelineEntry]):
    """What happened, in order."""

    list_display = ["timestamp", "event_id", "status", "details"]
    search_fields = ["event_id"]
    ordering = ["-id"]
    show_full_result_count = False


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnly, admin.ModelAdmin[DeadLetter]):
    """What could not be done, and why."""

    list_display = ["created_at", "stage", "reason_code", "error_message", "status", "attempts", "retry_count", "event_id"]
    list_filter = ["status", "stage", "reason_code"]
    search_fields = ["event_id"]
    show_full_result_count = False
