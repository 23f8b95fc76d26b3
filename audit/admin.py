"""The timeline in the admin. Dead letters are in console/admin: what can be done about them reaches every storey."""

from django.contrib import admin

from audit.models import TimelineEntry
from core.admin import ReadOnly


@admin.register(TimelineEntry)
class TimelineEntryAdmin(ReadOnly, admin.ModelAdmin[TimelineEntry]):
    """What happened, in order."""

    list_display = ["timestamp", "event_id", "status", "details"]
    search_fields = ["event_id"]
    ordering = ["-id"]
    show_full_result_count = False
