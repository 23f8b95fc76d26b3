"""The grid that bars stand on: when a bar that opens at a time closes. Pure.

Every interval but the calendar month has a fixed length. Where a grid begins is the venue's affair (weeks may begin on any day), so
bars are measured against each other. Months begin at midnight UTC on the first.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from core.clock import from_ms, to_ms

Interval = Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M"]

# How long a bar is; of a month so much is sure to have passed only roughly, so nothing here places a month by it.
STEP: Mapping[Interval, timedelta] = {
    "1m": timedelta(minutes=1),
    "3m": timedelta(minutes=3),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "2h": timedelta(hours=2),
    "4h": timedelta(hours=4),
    "8h": timedelta(hours=8),
    "12h": timedelta(hours=12),
    "1d": timedelta(days=1),
    "3d": timedelta(days=3),
    "1w": timedelta(weeks=1),
    "1M": timedelta(days=30),
}
_MS = timedelta(milliseconds=1)
_LONGEST_MONTH = timedelta(days=31)


def closes(interval: Interval, opened: datetime) -> datetime:
    """When the bar that opened then closes, and the next one opens."""
    return _first(opened + _LONGEST_MONTH) if interval == "1M" else opened + STEP[interval]


def closings(interval: Interval, starts: Sequence[int]) -> list[int]:
    """The same for many, in Unix milliseconds."""
    if interval == "1M":
        return [to_ms(closes(interval, from_ms(start))) for start in starts]
    step = STEP[interval] // _MS
    return [start + step for start in starts]


def slots(interval: Interval, starts: Sequence[int]) -> list[int] | None:
    """Each bar's place on the grid, the first one's being 0; None when they do not rise, or stand on no grid."""
    if interval == "1M":
        opened = [from_ms(start) for start in starts]
        aligned = all(at == _first(at) for at in opened)
        places = [at.year * 12 + at.month for at in opened]
        found = [place - places[0] for place in places]
    else:
        step = STEP[interval] // _MS
        if starts and starts == list(range(starts[0], starts[0] + step * len(starts), step)):
            return list(range(len(starts)))  # nearly always, and thousands of bars
        aligned = not any((start - starts[0]) % step for start in starts)
        found = [(start - starts[0]) // step for start in starts]
    return found if aligned and all(before < after for before, after in pairwise(found)) else None


def window(interval: Interval, until: datetime, count: int) -> tuple[int, int]:
    """A span in Unix milliseconds, both ends included, with the last `count` bars that closed by `until` in it, and hardly more."""
    if interval == "1M":
        end = to_ms(_first(until))
        return max(end - count * (_LONGEST_MONTH // _MS), 0), max(end - 1, 0)
    step = STEP[interval] // _MS
    end = to_ms(until) // step * step
    return max(end - count * step, 0), max(end - 1, 0)


def _first(at: datetime) -> datetime:
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
