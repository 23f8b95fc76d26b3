"""Support and resistance from closed bars. Pure.

Candidates are confirmed pivots (three lower highs or higher lows on either side), the previous day's and week's extremes, the
session VWAP, the round numbers around the price, and prices where unusually much was traded. Those within half an ATR of each other
are one level, as long as it stays within one ATR. A candidate counts less the older it is and more the more was traded at it;
strengths are relative to the strongest level.

A level the market has closed beyond by more than a quarter of an ATR is broken and changes sides. A pivot is known three bars late,
so no bar after the newest could change anything here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import floor, log, log10
from typing import NamedTuple

import numpy as np

from enrichment.bars import Bars, Floats
from enrichment.wanted import LevelSearch

WINGS = 3
HALF_LIFE_BARS = 200
JOIN_ATR, SPAN_ATR, BROKEN_ATR = 0.5, 1.0, 0.25
VISIT_BARS = 5
ROUND_STEP_ATR = 2
ROUND_WEIGHT = 0.5
NODE_BIN_ATR, NODE_VOLUME, MOST_NODES = 0.5, 1.5, 3
DAY, WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Level:
    """A price the market has turned at or may. `above` says that it is resistance; `strength` is relative to the strongest, 0 to 1;
    `touches` are distinct visits; `broken` means that it was on the other side before.
    """

    price: float
    above: bool
    strength: float
    touches: int
    broken: bool


class Candidate(NamedTuple):
    """A price, what it weighs, and the side it formed on: 1 a high, −1 a low, 0 neither."""

    price: float
    weight: float
    side: int = 0


def levels(bars: Bars, search: LevelSearch, atr: float, vwap: float | None) -> tuple[Level, ...]:
    """The strongest levels of either side, strongest first, the nearer of equals first. None at all when nothing moved."""
    if atr <= 0:
        return ()
    window = bars.last(search.lookback)
    found = [*_turns(window), *_extremes(bars), *_rounds(window.close[-1], atr), *_nodes(window, atr)]
    if vwap is not None:
        found.append(Candidate(vwap, 1.0))
    groups = clusters(found, atr)
    most = max(sum(member.weight for member in group) for group in groups)
    ranked = sorted((_level(group, window, atr, most) for group in groups), key=lambda one: _rank(one, window.close[-1]))
    sides = ([level for level in ranked if level.above is above][: search.max_levels] for above in (False, True))
    return tuple(sorted((level for side in sides for level in side), key=lambda one: _rank(one, window.close[-1])))


def clusters(found: list[Candidate], atr: float) -> list[list[Candidate]]:
    """Candidates grouped by price, nearest neighbours first, lowest group first."""
    ordered = sorted(found)
    groups = [[one] for one in ordered]
    home = list(range(len(ordered)))
    gaps = sorted((after.price - before.price, place) for place, (before, after) in enumerate(pairwise(ordered)))
    for gap, place in gaps:
        left, right = groups[home[place]], groups[home[place + 1]]
        if gap <= JOIN_ATR * atr and right[-1].price - left[0].price <= SPAN_ATR * atr:
            first = home[place]
            for moved in range(home[place + 1], home[place + 1] + len(right)):
                home[moved] = first
            left.extend(right)
            right.clear()
    return [group for group in groups if group]


def pivots(bars: Bars) -> Iterator[tuple[int, int]]:
    """(place, side) of every confirmed turn: beyond the three before it, and no less far than the three after it."""
    for side, values in ((1, bars.high), (-1, -bars.low)):
        inner = values[WINGS : len(values) - WINGS]
        turns = np.ones(len(inner), dtype=bool)
        for wing in range(1, WINGS + 1):
            turns &= inner > values[WINGS - wing : len(values) - WINGS - wing]
            turns &= inner >= values[WINGS + wing : len(values) - WINGS + wing]
        yield from ((int(place) + WINGS, side) for place in np.flatnonzero(turns))


def _turns(bars: Bars) -> Iterator[Candidate]:
    usual = float(bars.volume.mean())
    for place, side in pivots(bars):
        yield Candidate(float((bars.high if side > 0 else bars.low)[place]), _weight(bars, place, usual), side)


def _extremes(bars: Bars) -> Iterator[Candidate]:
    """High and low of the day and the week (from Monday) before those of the newest bar, where all of it is in sight."""
    usual = float(bars.volume.mean())
    newest = bars.start + (len(bars) - 1) * bars.step
    midnight = newest.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = midnight - midnight.weekday() * DAY
    for ends, length in ((midnight, DAY), (monday, WEEK)):
        if bars.step < length and bars.index(ends - length) >= 0:
            yield from _span(bars, ends - length, ends, usual)


def _span(bars: Bars, starts: datetime, ends: datetime, usual: float) -> Iterator[Candidate]:
    first, last = bars.index(starts), bars.index(ends)
    high, low = first + int(bars.high[first:last].argmax()), first + int(bars.low[first:last].argmin())
    yield Candidate(float(bars.high[high]), _weight(bars, high, usual), 1)
    yield Candidate(float(bars.low[low]), _weight(bars, low, usual), -1)


def _rounds(price: float, atr: float) -> Iterator[Candidate]:
    """The multiples of 1, 2 or 5 × 10ᵏ on either side of the price, at least two ATRs apart."""
    decade = 10.0 ** floor(log10(ROUND_STEP_ATR * atr))
    step = next(decade * factor for factor in (1, 2, 5, 10) if decade * factor >= ROUND_STEP_ATR * atr)
    below = floor(price / step)
    yield from (Candidate(place * step, ROUND_WEIGHT) for place in (below, below + 1) if place > 0)


def _nodes(bars: Bars, atr: float) -> Iterator[Candidate]:
    """Where most was traded: peaks of volume over price, counted in steps of half an ATR around the newest close."""
    typical = (bars.high + bars.low + bars.close) / 3
    steps = np.rint((typical - bars.close[-1]) / (NODE_BIN_ATR * atr)).astype(int)
    steps -= steps.min()
    traded = np.bincount(steps, bars.volume)
    usual = traded[traded > 0].mean() if traded.any() else 0.0
    edged = np.concatenate(([0.0], traded, [0.0]))
    peaks = np.flatnonzero((traded >= NODE_VOLUME * usual) & (traded > edged[:-2]) & (traded >= edged[2:]) & (traded > 0))
    for step in sorted(peaks, key=lambda peak: -traded[peak])[:MOST_NODES]:
        inside = steps == step
        price = float((typical[inside] * bars.volume[inside]).sum() / traded[step])
        yield Candidate(price, 1 + log(1 + traded[step] / usual))


def _weight(bars: Bars, place: int, usual: float) -> float:
    age = len(bars) - 1 - place
    volume = float(bars.volume[place]) / usual if usual > 0 else 0.0
    return float(0.5 ** (age / HALF_LIFE_BARS)) * (1 + log(1 + volume))


def _level(group: list[Candidate], bars: Bars, atr: float, most: float) -> Level:
    weight = sum(member.weight for member in group)
    price = sum(member.price * member.weight for member in group) / weight
    close, margin = float(bars.close[-1]), BROKEN_ATR * atr
    side = sum(member.side * member.weight for member in group)
    above, broken = price >= close, False
    if side:
        broken = close > price + margin if side > 0 else close < price - margin
        above = (side > 0) is not broken
    return Level(price, above, weight / most, _visits(bars, group[0].price - margin, group[-1].price + margin), broken)


def _visits(bars: Bars, low: float, high: float) -> int:
    """How often the market came here, staying away for at least five bars in between."""
    there = np.flatnonzero((bars.low <= high) & (bars.high >= low))
    return 0 if not len(there) else 1 + int((np.diff(there) >= VISIT_BARS).sum())


def _rank(level: Level, close: Floats) -> tuple[float, float, float]:
    return -level.strength, abs(level.price - float(close)), level.price
