"""What one timeframe's closed candles say at the newest bar: indicators, levels and the kind of market. Pure.

With fewer bars than it needs a value is None, never a guess. 500 bars are enough for all but the longest averages, so only those
see more. No rounding here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import pairwise

from enrichment.bars import Bars, columns
from enrichment.grid import Interval
from enrichment.levels import Level, levels
from enrichment.ports import Candles, Seen
from enrichment.regime import Trend, trend
from enrichment.series import KEPT, drawn
from enrichment.ta_batch import Columns, Found, compute
from enrichment.wanted import Family, IndicatorSet

USUAL_BARS = 500


@dataclass(frozen=True)
class Reading:
    """One timeframe. `values` are of the newest closed bar, `previous` of the one before it; None where history is too short.

    `n_bars` is the length of the unbroken history used, `missing` the number of bars the venue left out of the whole window.
    `warmup_err` bounds what the start of the history still weighs in each value, relative to the close (0 for plain windows).
    `short` says that history is too short for a value, `lacking` names those that are missing for another reason: nothing traded.
    `flat` means that a window did not move and its value is one of definition. `recent` are the newest bars, for people; `seen`
    says when the candles were asked for and what reply they came in.
    """

    interval: Interval
    n_bars: int
    last_close: datetime | None
    close: float | None
    values: dict[str, float | None] = field(default_factory=dict)
    previous: dict[str, float | None] = field(default_factory=dict)
    warmup_err: dict[str, float] = field(default_factory=dict)
    missing: int = 0
    short: bool = False
    lacking: tuple[str, ...] = ()
    flat: bool = False
    trend: Trend | None = None
    levels: tuple[Level, ...] = ()
    recent: Candles | None = None
    seen: Seen | None = None

    @cached_property
    def series(self) -> str:
        """The newest bars as text; see `series.py`. Made once for all signals that share the reading, if one of them keeps it."""
        return "" if self.recent is None else drawn(self.recent)

    @property
    def atr(self) -> float | None:
        """The average true range, as a price; None when too short, and when there is none."""
        return next((value for name, value in self.values.items() if name.startswith("atr_") and value), None)

    @property
    def stack(self) -> int | None:
        """1 when every average stands above the slower one, −1 when below, else 0; None where one of them is not known."""
        averages = [value for name, value in self.values.items() if name.startswith("ema_")]
        known = [value for value in averages if value is not None]
        if len(known) < 2 or len(known) < len(averages):
            return None
        pairs = list(pairwise(known))
        return all(fast > slow for fast, slow in pairs) - all(fast < slow for fast, slow in pairs)


def read(candles: Candles, wanted: IndicatorSet) -> Reading:
    """Everything the set asks for. Raises Transient `bad_candles` for candles that are no market."""
    if not candles:
        nothing: dict[str, float | None] = dict.fromkeys(wanted.names)
        return Reading(candles.interval, 0, None, None, nothing, nothing, short=True, seen=candles.seen)
    bars = columns(candles)
    whole, usual = Columns(bars), Columns(bars.last(USUAL_BARS))
    known = [family for family in wanted.families if len(bars) >= family.needs]
    found = {family: compute(whole if _long(family) else usual, family) for family in known}
    values = _at(wanted, found, 0)
    before = {family: one for family, one in found.items() if len(bars) > family.needs}
    atr = values[f"atr_{wanted.atr}"]
    return Reading(
        interval=candles.interval,
        n_bars=len(bars),
        last_close=candles.last_close,
        close=float(bars.close[-1]),
        values=values,
        previous=_at(wanted, before, 1),
        warmup_err=_warmup_error(bars, known),
        missing=bars.missing,
        short=len(known) < len(wanted.families),
        lacking=tuple(name for family in known for name in family.names if values[name] is None),
        flat=any(one.flat for one in found.values()),
        trend=trend(usual, wanted.atr) if wanted.regime and _warm(known, "adx", "atr") else None,
        levels=levels(usual.bars, wanted.levels, atr, values.get("vwap")) if wanted.levels and atr else (),
        recent=candles.last(KEPT),
        seen=candles.seen,
    )


def _warm(known: list[Family], *kinds: str) -> bool:
    return {family.kind for family in known} >= set(kinds)


def _at(wanted: IndicatorSet, found: Mapping[Family, Found], place: int) -> dict[str, float | None]:
    """Every name with the newest value (place 0) or the one before (1); what is not a finite number is None."""
    values: dict[str, float | None] = dict.fromkeys(wanted.names)
    for family, one in found.items():
        for name, pair in zip(family.names, one.pairs, strict=True):
            values[name] = pair[place] if math.isfinite(pair[place]) else None
    return values


def _warmup_error(bars: Bars, known: list[Family]) -> dict[str, float]:
    spread = float((bars.high.max() - bars.low.min()) / bars.close[-1])
    usual = min(len(bars), USUAL_BARS)
    return {name: spread * family.memory ** (len(bars) if _long(family) else usual) for family in known for name in family.names}


def _long(family: Family) -> bool:
    """Whether the usual history is too short for it."""
    return family.needs > USUAL_BARS
