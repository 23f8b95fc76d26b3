"""Reading what was frozen."""

from uuid import UUID

from enrichment.models import Enrichment
from signals.models import Signal


def judged_by(event_id: UUID, evaluation: int) -> Enrichment | None:
    """The market a round judges by: the newest frozen up to it. None before the signal is enriched."""
    return Enrichment.objects.filter(signal=event_id, evaluation__lte=evaluation).order_by("-evaluation").first()


def for_signal(signal: Signal) -> Enrichment | None:
    """The market this signal is judged by in its current round."""
    return judged_by(signal.pk, signal.evaluation)
