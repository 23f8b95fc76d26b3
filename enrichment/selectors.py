"""Reading what was frozen."""

from enrichment.models import Enrichment
from signals.models import Signal


def for_signal(signal: Signal) -> Enrichment | None:
    """The market this signal is judged by in its current round: the newest frozen up to it. None before the signal is enriched."""
    return Enrichment.objects.filter(signal=signal, evaluation__lte=signal.evaluation).order_by("-evaluation").first()
