"""Reading signals."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now

from signals.models import Pulse, Signal, Status


def by_id(event_id: str | UUID) -> Signal | None:
    """The signal, wherever it stands."""
    return Signal.objects.filter(pk=event_id).first()


def under_judgement(event_id: str | UUID) -> Signal | None:
    """The signal while models are being asked."""
    return Signal.objects.filter(pk=event_id, status=Status.ENRICHED).first()


def owing_announcement(event_id: str | UUID) -> Signal | None:
    """A signal that ended early and whose verdict frame is still owed."""
    ended = Signal.objects.filter(pk=event_id, status__in=[Status.REJECTED, Status.DLQ])
    return ended.filter(next_attempt_at__isnull=False).first()


def buried(event_id: UUID | None) -> QuerySet[Signal]:
    """The dead signal a letter speaks of, if there is one."""
    return Signal.objects.filter(status=Status.DLQ, pk__in=[] if event_id is None else [event_id])


def told(event_id: str | UUID) -> QuerySet[Signal]:
    """The signal, if its verdict is published: it can be judged again."""
    return Signal.objects.filter(pk=event_id, status=Status.PUBLISHED)


def overdue() -> QuerySet[Signal]:
    """Signals whose next look has come, oldest first."""
    return Signal.objects.filter(next_attempt_at__lte=Now()).order_by("next_attempt_at")


def pulses() -> dict[str, tuple[datetime, dict[str, Any]]]:
    """When each kind of process was last alive, and what it said."""
    return {pulse.name: (pulse.at, pulse.details) for pulse in Pulse.objects.all()}
