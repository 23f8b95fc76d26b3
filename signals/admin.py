"""Signals in the admin: history, so read-only; sources can be paused."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from audit.selectors import timeline
from audit.waterfall import drawn
from core.admin import HouseAdmin, ReadOnly, clipped
from core.filters import one_of, within
from core.money import plain
from signals.hooks.admin import HookSourceAdmin, RejectedInputAdmin
from signals.models import Pulse, Signal, Source

__all__ = ["HookSourceAdmin", "PulseAdmin", "RejectedInputAdmin", "SignalAdmin", "SourceAdmin"]

# Where else a signal is spoken of, by the storeys above: the address of the list and the parameter that names the signal.
ELSEWHERE = {
    "Decisions": ("admin:evaluation_decision_changelist", "q"),
    "Verdict": ("admin:evaluation_verdict_changelist", "q"),
    "Market": ("admin:enrichment_enrichment_changelist", "q"),
    "Frames": ("admin:publishing_frame_changelist", "q"),
    "Dead letters": ("admin:audit_deadletter_changelist", "q"),
    "Timeline": ("admin:audit_timelineentry_changelist", "q"),
}


@admin.display(description="status")
def state(row: Any) -> SafeString:
    """The status as a coloured word."""
    return format_html('<span class="lens-state lens-{0}">{0}</span>', row.status)


@admin.display(description="timeline")
def waterfall(signal: Signal) -> SafeString:
    """How long each step took."""
    return drawn(timeline(signal.pk))


@admin.display(description="see also")
def elsewhere(signal: Signal) -> SafeString:
    """Links to what became of it."""
    links = ((reverse(address), parameter, signal.pk, title) for title, (address, parameter) in ELSEWHERE.items())
    return format_html_join(" · ", '<a class="text-link" href="{}?{}={}">{}</a>', links)


@admin.display(description="direction")
def direction(signal: Signal) -> str:
    """As it is called everywhere else."""
    return signal.signal_direction


@admin.display(description="entry price")
def entry(signal: Signal) -> str:
    """Without the zeros that only the column's width adds."""
    return plain(signal.entry_price)


def known_sources() -> list[str]:
    """Their names, for the filter."""
    return list(Source.objects.values_list("name", flat=True)[:100])


@admin.register(Signal)
class SignalAdmin(ReadOnly, HouseAdmin[Signal]):
    """What came in and where it stands."""

    list_display = ["received_at", "symbol", direction, entry, "source", state, "evaluation", "id"]
    list_display_links = ["received_at", "id"]
    list_filter = [within("received_at"), "status", one_of("source", known_sources)]
    searched = ["id", "symbol", "source"]
    wide = ["metadata", "expected", "rejection"]
    also = [waterfall, elsewhere]


@admin.register(Source)
class SourceAdmin(HouseAdmin[Source]):
    """Senders. A paused one is still answered 201; its signals end rejected."""

    list_display = ["name", "paused", "max_age_s", "max_drift_bps", "close_fallback", "first_seen_at"]
    list_editable = ["paused"]
    readonly_fields = ["name", "first_seen_at"]
    searched = ["name"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A box in a list has no label beside it, so it is given its name."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name == "paused":
            field.widget.attrs["aria-label"] = "Paused"
        return field

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Source | None = None) -> bool:
        return False


@admin.register(Pulse)
class PulseAdmin(ReadOnly, HouseAdmin[Pulse]):
    """Who is alive."""

    list_display = ["name", "at", clipped("details", "details")]
