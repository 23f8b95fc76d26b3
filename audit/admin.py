"""The timeline in the admin. Dead letters are in console/admin: what can be done about them reaches every storey."""

from django.contrib import admin

from audit.models import TimelineEntry
from core.admin import HouseAdmin, ReadOnly, clipped


@admin.register(TimelineEntry)
class TimelineEntryAdmin(ReadOnly, HouseAdmin[TimelineEntry]):
    """What happened, in order. The filter by time is on a signal's own page: here the newest come first."""

    list_display = ["timestamp", "status", "event_id", clipped("details", "details", "40rem")]
    searched = ["event_id"]
    ordering = ["-id"]
