"""The word that stands where there is no judgement: never an entry; for an exit what its source is set to (FOLLOW_EXIT)."""

from evaluation.remembered import Remembered
from evaluation.schemas import FALLBACK
from signals.models import ExitWord, Signal, Source


def _own() -> dict[str, str]:
    return dict(Source.objects.exclude(close_fallback=ExitWord.FOLLOW_EXIT).values_list("name", "close_fallback"))


_remembered = Remembered(_own)


def fallback_of(signal: Signal) -> str:
    """The decision of this signal's fallbacks; a source's setting holds within a second. No failure ever opens a position."""
    usual = FALLBACK[signal.event_type]
    return usual if signal.opens else _remembered().get(signal.source, usual)
