"""Reading the ledger."""

from uuid import UUID

from audit.models import DeadLetter, TimelineEntry


def timeline(event_id: UUID) -> list[TimelineEntry]:
    """What happened to a signal, oldest first."""
    return list(TimelineEntry.objects.filter(event_id=event_id).order_by("id"))


def open_letters(event_id: UUID) -> list[DeadLetter]:
    """Dead letters of a signal that wait for a person."""
    return list(DeadLetter.objects.filter(event_id=event_id, status=DeadLetter.Status.OPEN))
