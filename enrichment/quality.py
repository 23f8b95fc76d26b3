"""How far the frozen market can be trusted: four lists of `code:detail`, all empty on a healthy run, and a score. Pure.

| list            | flags                                                                                                |
|-----------------|------------------------------------------------------------------------------------------------------|
| missing_data    | `missing:candles:<tf>` `missing:<value>:<tf>` `warmup_short:<tf>:<bars>` `gap:<tf>:<bars left out>`     |
|                 | `missing:spread` `missing:context` `missing:<funding, open_interest, …>` `missing:predicted_funding`    |
|                 | `missing:book` `obi_coverage:<distance>` `oi_history_short:<1h or 24h>`                                 |
| stale_data      | `stale:mid` `stale:book` `stale:ctx` `stale:candle:<tf>` `snapshot_span:<ms>`                           |
| out_of_range    | `range:<mid, spread, funding, basis, liquidation_price>` `range:atr:<tf>` `flat_window:<tf>`            |
|                 | `liq_inside_atr` `depth_exceeded` `clock_skew:<ms>` `clock_skew_worker:<ms>`                            |
| provider_errors | `<error code>:<candles:<tf>, ticker, context, predicted_funding, book>`                               |

The score is 1 − the sum of the weights below, never under 0. A provider error weighs nothing itself: what it cost is missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from core.errors import LensError
from enrichment.indicators import Reading
from enrichment.microstructure import Depth
from enrichment.ports import PerpContext
from enrichment.snapshot import CONTEXT_STALE_S, Snapshot, is_stale, known

MID_STALE_S = 5.0
BOOK_STALE_S = 10.0
SPAN_MOST = timedelta(seconds=10)
SKEW_MOST_MS = 500
WORKER_SKEW_MOST_MS = 2_000
ATR_MOST = 0.2
JUMP_ATR = 10
SPREAD_MOST_BPS = 100
FUNDING_MOST = Decimal("0.04")
BASIS_MOST_BPS = 500
CONTEXT_FIELDS = ("funding", "open_interest", "mark", "oracle", "volume_24h")

# The longest beginning that fits counts.
WEIGHTS = {
    "missing:candles": 0.2,
    "missing:context": 0.1,
    "missing:book": 0.1,
    "missing": 0.05,
    "warmup_short": 0.05,
    "gap": 0.05,
    "obi_coverage": 0.05,
    "oi_history_short": 0.02,
    "stale": 0.2,
    "snapshot_span": 0.1,
    "range": 0.15,
    "flat_window": 0.1,
    "liq_inside_atr": 0.1,
    "depth_exceeded": 0.1,
    "clock_skew": 0.1,
}

Flags = Iterator[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Quality:
    """The flags by list, and the score from 0 to 1."""

    flags: dict[str, list[str]]
    score: float


def assess(seen: Snapshot, room: Decimal | None = None, depth: Depth | None = None) -> Quality:
    """Judge a snapshot. `room` is how far the price may go before liquidation, negative beyond it; `depth` what its books say."""
    flags: dict[str, list[str]] = {"missing_data": [], "stale_data": [], "out_of_range": [], "provider_errors": []}
    for raised in (_price(seen), _liquidation(seen, room), _timeframes(seen), _context(seen), _books(seen, depth), _clocks(seen)):
        for kind, flag in raised:
            flags[kind].append(flag)
    weight = sum(weight_of(flag) for kind in flags.values() for flag in kind)
    return Quality(flags, round(max(1.0 - weight, 0.0), 2))


def weight_of(flag: str) -> float:
    """What a flag takes from the score; 0 for a provider's error."""
    parts = flag.split(":")
    code, of_what = parts[0], ":".join(parts[:2])
    return WEIGHTS.get(of_what, WEIGHTS.get(code.removesuffix("_worker"), 0.0))


def _price(seen: Snapshot) -> Flags:
    if seen.mid_age_s > MID_STALE_S:
        yield "stale_data", "stale:mid"
    if seen.ticker.fault is not None:
        yield "provider_errors", f"{seen.ticker.fault.code}:ticker"
        yield "missing_data", "missing:spread"
    spread = seen.ticker.spread_bps
    if spread is not None and spread > SPREAD_MOST_BPS:
        yield "out_of_range", "range:spread"
    shortest = next(iter(seen.told.values()), None)
    if shortest is not None and shortest.close and shortest.atr and abs(float(seen.mid) - shortest.close) > JUMP_ATR * shortest.atr:
        yield "out_of_range", "range:mid"


def _liquidation(seen: Snapshot, room: Decimal | None) -> Flags:
    if room is None:
        return
    if room <= 0:
        yield "out_of_range", "range:liquidation_price"
    elif seen.atr is not None and float(room) < seen.atr:
        yield "out_of_range", "liq_inside_atr"


def _timeframes(seen: Snapshot) -> Flags:
    for interval, reading in seen.readings.items():
        if isinstance(reading, LensError):
            yield "provider_errors", f"{reading.code}:candles:{interval}"
            yield "missing_data", f"missing:candles:{interval}"
        elif reading.last_close is None:
            yield "missing_data", f"missing:candles:{interval}"
        else:
            yield from _timeframe(reading, seen.at, reading.last_close)


def _timeframe(reading: Reading, at: datetime, last_close: datetime) -> Flags:
    interval = reading.interval
    if is_stale(interval, last_close, at):
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


def _context(seen: Snapshot) -> Flags:
    if not seen.profile.derivatives:
        return
    for name, value in (("context", seen.context), ("predicted_funding", seen.predicted)):
        if isinstance(value, LensError):
            yield "provider_errors", f"{value.code}:{name}"
        if known(value) is None:
            yield "missing_data", f"missing:{name}"
    if (context := known(seen.context)) is not None:
        yield from _published(seen, context)
    yield from (("missing_data", f"oi_history_short:{span}") for span in _unknown_growth(seen))


def _published(seen: Snapshot, context: PerpContext) -> Flags:
    if seen.age_s(context.seen) > CONTEXT_STALE_S:
        yield "stale_data", "stale:ctx"
    yield from (("missing_data", f"missing:{name}") for name in CONTEXT_FIELDS if getattr(context, name) is None)
    if context.funding is not None and abs(context.funding) > FUNDING_MOST:
        yield "out_of_range", "range:funding"
    if context.basis_bps is not None and abs(context.basis_bps) > BASIS_MOST_BPS:
        yield "out_of_range", "range:basis"


def _unknown_growth(seen: Snapshot) -> Iterator[str]:
    if seen.interest is None or seen.interest.change_1h_pct is None:
        yield "1h"
    if seen.interest is None or seen.interest.change_24h_pct is None:
        yield "24h"


def _books(seen: Snapshot, depth: Depth | None) -> Flags:
    if not seen.books:
        return
    codes = dict.fromkeys(book.code for book in seen.books.values() if isinstance(book, LensError))
    yield from (("provider_errors", f"{code}:book") for code in codes)
    if not seen.known_books:
        yield "missing_data", "missing:book"
        return
    if seen.book_age_s > BOOK_STALE_S:
        yield "stale_data", "stale:book"
    if depth is not None:
        yield from (("missing_data", f"obi_coverage:{name}") for name in depth.uncovered)
        if depth.slippage_bps is None:
            yield "out_of_range", "depth_exceeded"


def _clocks(seen: Snapshot) -> Flags:
    skew = seen.ticker.skew_ms
    if skew is not None and abs(skew) > SKEW_MOST_MS:
        yield "out_of_range", f"clock_skew:{skew}"
    ours = round(seen.worker_skew.total_seconds() * 1000)
    if abs(ours) > WORKER_SKEW_MOST_MS:
        yield "out_of_range", f"clock_skew_worker:{ours}"
    if seen.span > SPAN_MOST:
        yield "stale_data", f"snapshot_span:{round(seen.span.total_seconds() * 1000)}"
