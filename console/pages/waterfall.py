"""A signal's time as bars: how long each stage and each model took, and where it waited. Pure; shares of the whole in percent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.clock import parse_zoned

LEAST_PCT = 0.6
_GOOD = {"enriched", "evaluated", "published"}
_NAMES = {"enriched": "enrich", "evaluated": "verdict", "published": "publish"}
_USABLE = {"ok", "repaired"}

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Lane:
    """One bar: who, how long in milliseconds, how it ended, and where it lies; `wait_pct` is where its waiting began."""

    name: str
    took_ms: float
    tone: str
    start_pct: float
    width_pct: float
    wait_pct: float


def lanes(timeline: Sequence[Entry], decisions: Sequence[Entry], ends: datetime | None) -> list[Lane]:
    """Stages and models in the order they ended. `ends` is the present for a signal that is still on its way."""
    if not timeline:
        return []
    scale = _Scale(_at(timeline[0]), ends or _at(timeline[-1]))
    open_end = [scale.lane("…", _at(timeline[-1]), ends, "wait")] if ends else []
    return [*_closed(timeline, decisions, scale), *open_end]


def _closed(timeline: Sequence[Entry], decisions: Sequence[Entry], scale: "_Scale") -> Iterator[Lane]:
    calls = {decision["model"]: (decision["model_meta"] or {}).get("latency_ms") for decision in decisions}
    before = asked = _at(timeline[0])
    for entry in timeline[1:]:
        here = _at(entry)
        details = entry["details"]
        if entry["status"] == "decision":
            model = str(details.get("model", "?"))
            tone = "good" if details.get("status") in _USABLE else "bad"
            yield scale.lane(model, asked, here, tone, took_ms=calls.get(model))
            before = max(before, here)
            continue
        tone = "good" if entry["status"] in _GOOD else "bad"
        yield scale.lane(_NAMES.get(entry["status"]) or str(entry["status"]), before, here, tone)
        before, asked = here, here


def _at(entry: Entry) -> datetime:
    return parse_zoned(entry["timestamp"])


@dataclass(frozen=True)
class _Scale:
    begins: datetime
    ends: datetime

    def lane(self, name: str, since: datetime, until: datetime, tone: str, took_ms: float | None = None) -> Lane:
        """From one instant to another; with a duration, only the last part of it was work."""
        whole_ms = (until - since).total_seconds() * 1000
        worked_ms = whole_ms if took_ms is None else min(took_ms, whole_ms)
        right = self._pct(until)
        width = max(right - self._pct(until) + worked_ms / self._span_ms * 100, LEAST_PCT)
        return Lane(name, worked_ms, tone, max(min(right - width, 100 - width), 0), width, self._pct(since))

    @property
    def _span_ms(self) -> float:
        return max((self.ends - self.begins).total_seconds() * 1000, 1)

    def _pct(self, at: datetime) -> float:
        return (at - self.begins).total_seconds() * 1000 / self._span_ms * 100
