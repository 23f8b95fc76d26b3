"""Closed candles as the float columns indicators work on. Pure.

Short holes are bridged with bars of no movement at the last close; a longer one ends the usable history, and only what came after
it counts. Nothing is ever interpolated between two prices.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from core.clock import from_ms
from core.errors import Transient
from enrichment.grid import STEP, Interval, slots
from enrichment.ports import Candles

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Bars:
    """An unbroken stretch that ends with the newest bar; `start` is when its first bar opened.

    `table` has a row each for open, high, low, close and volume, a column per bar. `missing` counts the holes of the whole input.
    Months count as thirty days each, so only whole days of them mean anything.
    """

    table: Floats
    start: datetime
    step: timedelta
    missing: int = 0

    def __len__(self) -> int:
        return int(self.table.shape[1])

    @property
    def open(self) -> Floats:
        """Opening prices."""
        return self._row(0)

    @property
    def high(self) -> Floats:
        """Highest prices."""
        return self._row(1)

    @property
    def low(self) -> Floats:
        """Lowest prices."""
        return self._row(2)

    @property
    def close(self) -> Floats:
        """Closing prices."""
        return self._row(3)

    @property
    def volume(self) -> Floats:
        """Traded volumes."""
        return self._row(4)

    def _row(self, place: int) -> Floats:
        row: Floats = self.table[place]
        return row

    def last(self, count: int) -> "Bars":
        """The newest `count` bars, or all of them when there are fewer."""
        skip = max(len(self) - count, 0)
        return Bars(self.table[:, skip:], self.start + skip * self.step, self.step, self.missing)

    def index(self, at: datetime) -> int:
        """The place of the bar that opens at `at`; negative when that was before the stretch."""
        return (at - self.start) // self.step


def longest_bridge(interval: Interval) -> int:
    """The most consecutive missing bars that are bridged."""
    return 2 if STEP[interval] >= timedelta(minutes=15) else 5


def columns(candles: Candles) -> Bars:
    """The newest unbroken stretch. Raises Transient `bad_candles` for what no market has: disorder, no number, high below low.

    Candles must not be empty.
    """
    numbers = np.array(candles.numbers).reshape(-1, 5)
    places = slots(candles.interval, candles.starts)
    if places is None or not _sound(numbers):
        raise Transient("bad_candles", f"The {candles.interval} candles are not a possible market.", interval=candles.interval)
    taken = np.array(places, dtype=np.int64)
    holes = np.diff(taken) - 1
    breaks = np.flatnonzero(holes > longest_bridge(candles.interval))
    first = int(breaks[-1]) + 1 if len(breaks) else 0
    opened = from_ms(candles.starts[first])
    return Bars(_bridged(numbers[first:], taken[first:]), opened, STEP[candles.interval], int(holes.sum()))


def _bridged(numbers: Floats, slots: Indices) -> Floats:
    """Rows (open, high, low, close, volume) over every slot; a slot without a bar repeats the close before it."""
    every = np.arange(slots[0], slots[-1] + 1)
    source = np.searchsorted(slots, every, side="right") - 1
    filled = numbers[source].T.copy()
    hole = slots[source] != every
    filled[:4, hole] = filled[3, hole]
    filled[4, hole] = 0.0
    return filled


def _sound(numbers: Floats) -> bool:
    opening, high, low, close, volume = numbers.T
    sound = (low > 0) & (low <= np.minimum(opening, close)) & (high >= np.maximum(opening, close)) & (volume >= 0)
    return bool(sound.all() and np.isfinite(numbers).all())
