"""Signals in the admin: history, so read-only; sources can be paused."""

from django.contrib import admin
from django.http import HttpRequest

from core.admin import ReadOnly
from signals.hooks.admin import HookSourceAdmin, RejectedInputAdmin
from signals.models import Pulse, Signal, Source

__all__ = ["HookSourceAdmin", "PulseAdmin", "RejectedInputAdmin", "SignalAdmin", "SourceAdmin"]


@admin.register(Signal)
class SignalAdmin(ReadOnly, admin.ModelAdmin[Signal]):
    """What came in and where it stands."""

    list_display = ["id", "received_at", "symbol", "signal_direction", "entry_price", "source", "status", "evaluation"]
    list_filter = ["status", "event_type"]
    search_fields = ["id", "symbol", "source"]
    date_hierarchy = "received_at"
    show_full_result_count = False


@admin.register(Source)
class SourceAdmin(admin.ModelAdmin[Source]):
    """Senders. A paused one is still answered 201; its signals end rejected."""

    list_display = ["name", "paused", "first_seen_at"]
    list_editable = ["paused"]
    readonly_fields = ["name", "first_seen_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Source | None = None) -> bool:
        return False


@admin.register(Pulse)
class PulseAdmin(ReadOnly, admin.ModelAdmin[Pulse]):
    """Who is alive."""

    list_display = ["name", "at", "details"]
