"""Reading the ledger."""

from uuid import UUID

from audit.models import TimelineEntry


def timeline(event_id: UUID) -> list[TimelineEntry]:
    """What happened to a signal, oldest first."""
    return list(TimelineEntry.objects.filter(event_id=event_id).order_by("id"))
