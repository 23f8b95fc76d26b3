"""How far the frozen market can be trusted: four lists of `code:detail`, all empty on a healthy run, and a score. Pure.

| list            | flags                                                                          |
|-----------------|--------------------------------------------------------------------------------|
| missing_data    | `missing:candles:<tf>` `missing:<value>:<tf>` `warmup_short:<tf>:<bars>` `gap:<tf>:<bars left out>` |
| stale_data      | `stale:mid` `stale:candle:<tf>`                                                 |
| out_of_range    | `range:atr:<tf>` `flat_window:<tf>` `range:liquidation_price`                    |
| provider_errors | `<error code>:candles:<tf>`                                                     |

The score is 1 − the sum of the weights below, never under 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.errors import LensError
from enrichment.indicators import Reading
from enrichment.ports import STEP, Interval
from enrichment.snapshot import Snapshot

MID_STALE_S = 5.0
GRACE_LEAST = timedelta(seconds=2)
GRACE_SHARE = 0.01
ATR_MOST = 0.2

# A provider error weighs nothing itself: what it cost is flagged as missing.
WEIGHTS = {"missing": 0.2, "stale": 0.2, "range": 0.15, "flat_window": 0.1, "gap": 0.05, "warmup_short": 0.05}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Quality:
    """The flags by list, and the score from 0 to 1."""

    flags: dict[str, list[str]]
    score: float


def assess(seen: Snapshot, *, liquidated: bool = False) -> Quality:
    """Judge a snapshot. `liquidated` says that the price is already beyond the signal's liquidation price."""
    flags: dict[str, list[str]] = {"missing_data": [], "stale_data": [], "out_of_range": [], "provider_errors": []}
    if seen.mid_age_s > MID_STALE_S:
        flags["stale_data"].append("stale:mid")
    if liquidated:
        flags["out_of_range"].append("range:liquidation_price")
    for interval, reading in seen.readings.items():
        for kind, flag in _timeframe(interval, reading, seen.at):
            flags[kind].append(flag)
    weight = sum(WEIGHTS.get(flag.partition(":")[0], 0.0) for kind in flags.values() for flag in kind)
    return Quality(flags, round(max(1.0 - weight, 0.0), 2))


def is_stale(interval: Interval, last_close: datetime, at: datetime) -> bool:
    """Whether a bar that should have closed by now is not there. Judged by bar closes: a 4 h bar is rightly almost 4 h old.

    A venue gets 2 s, or one hundredth of the interval if that is longer, to deliver a bar.
    """
    step = STEP[interval]
    due = at - max(GRACE_LEAST, step * GRACE_SHARE) - _EPOCH
    return last_close < _EPOCH + due // step * step


def _timeframe(interval: Interval, reading: Reading | LensError, at: datetime) -> Iterator[tuple[str, str]]:
    if isinstance(reading, LensError):
        yield "provider_errors", f"{reading.code}:candles:{interval}"
        yield "missing_data", f"missing:candles:{interval}"
        return
    if reading.last_close is None:
        yield "missing_data", f"missing:candles:{interval}"
        return
    if is_stale(interval, reading.last_close, at):
        yield "stale_data", f"stale:candle:{interval}"
    if reading.short:
        yield "missing_data", f"warmup_short:{interval}:{reading.n_bars}"
    yield from (("missing_data", f"missing:{name}:{interval}") for name in reading.lacking)
    if reading.missing:
        yield "missing_data", f"gap:{interval}:{reading.missing}"
    if reading.flat:
        yield "out_of_range", f"flat_window:{interval}"
    if _atr_out_of_range(reading):
        yield "out_of_range", f"range:atr:{interval}"


def _atr_out_of_range(reading: Reading) -> bool:
    """A range of nothing, or of more than a fifth of the price."""
    ranges = [value for name, value in reading.values.items() if name.startswith("atr_") and value is not None]
    return any(not 0 < value <= ATR_MOST * (reading.close or 0.0) for value in ranges)
