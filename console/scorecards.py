"""How models did over a span: totals for each, and the same by steps of time for the charts. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from console.histogram import merged, percentile
from console.rollup import Hour


@dataclass(frozen=True)
class Scorecard:
    """Some hours of one model together. Shares are 0 to 1, None where there is nothing to share."""

    hours: Sequence[Hour]

    def total(self, name: str) -> Any:
        """The sum of a column."""
        return sum(getattr(hour, name) for hour in self.hours)

    @property
    def answers(self) -> int:
        """Decisions settled, however."""
        return int(self.total("answers"))

    @property
    def validity(self) -> float | None:
        """Of the texts that came back, the share that was usable."""
        return _share(self.total("usable"), self.total("replied"))

    @property
    def coverage(self) -> float | None:
        """Of everything asked, the share that became an opinion."""
        return _share(self.total("usable"), self.total("answers"))

    @property
    def agreement(self) -> float | None:
        """Of the opinions beside a verdict, the share that says what it says."""
        return _share(self.total("agreed"), self.total("voted"))

    @property
    def p50_ms(self) -> float | None:
        """Median answer time."""
        return percentile(self._latencies, 0.5)

    @property
    def p95_ms(self) -> float | None:
        """95 of 100 answers were quicker."""
        return percentile(self._latencies, 0.95)

    def by_steps(self, step: timedelta) -> "dict[datetime, Scorecard]":
        """The same hours by steps of time, each step named by its begin; cut once, however many charts ask."""
        if step not in self._cuts:
            found: dict[datetime, list[Hour]] = defaultdict(list)
            width = int(step.total_seconds())
            for hour in self.hours:
                found[datetime.fromtimestamp(int(hour.hour.timestamp()) // width * width, UTC)].append(hour)
            self._cuts[step] = {at: Scorecard(listed) for at, listed in found.items()}
        return self._cuts[step]

    @cached_property
    def _cuts(self) -> "dict[timedelta, dict[datetime, Scorecard]]":
        return {}

    @cached_property
    def _latencies(self) -> dict[int, int]:
        return merged(hour.latencies for hour in self.hours)

    @property
    def tokens(self) -> int:
        """In and out together."""
        return int(self.total("tokens_in") + self.total("tokens_out"))

    @property
    def cost_usd(self) -> Any:
        """None when no answer had a price."""
        return self.total("cost_usd") if self.total("priced") else None

    @property
    def failures(self) -> list[tuple[str, int]]:
        """How often each status that is no opinion came, the most frequent first."""
        counts: dict[str, int] = defaultdict(int)
        for hour in self.hours:
            for status, count in hour.statuses.items():
                counts[status] += count
        return sorted(((name, count) for name, count in counts.items() if name != "ok"), key=lambda one: -one[1])


def by_model(hours: Iterable[Hour]) -> dict[str, Scorecard]:
    """A scorecard for each model that settled anything."""
    found: dict[str, list[Hour]] = defaultdict(list)
    for hour in hours:
        found[hour.model].append(hour)
    return {model: Scorecard(listed) for model, listed in sorted(found.items())}


def trend(cards: dict[str, Scorecard], step: timedelta, measure: Callable[[Scorecard], float | None]) -> dict[str, Any]:
    """`{"times": epoch seconds, "models": {name: values}}` by steps of time; None where a model has nothing."""
    pieces = {model: card.by_steps(step) for model, card in cards.items()}
    times = sorted({at for steps in pieces.values() for at in steps})
    values = {model: [measure(steps[at]) if at in steps else None for at in times] for model, steps in pieces.items()}
    return {"times": [int(at.timestamp()) for at in times], "models": values}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
