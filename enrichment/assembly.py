"""The payload: all a model is told about a signal and its market, as canonical JSON of at most 4 KB. Pure.

Only numbers and words from fixed lists go in; nothing a source wrote freely does. Units are in the names. What was computed is
rounded to five significant digits, what the source stated is not. What could not be had is null and flagged.

Should it ever be too long, the least telling part goes first (`DROP_ORDER`, then whole timeframes, shortest first) and is named
under `dropped`. Signal, price, constraints and quality always stay.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from core.canonical import canonical
from core.clock import iso
from core.errors import LensError, Permanent
from core.money import BPS, significant
from enrichment.indicators import Reading
from enrichment.policy import Constraints
from enrichment.ports import Interval
from enrichment.quality import Quality, is_stale
from enrichment.snapshot import Snapshot
from signals.models import Signal

LIMIT_BYTES = 4_096
DROP_ORDER = ("macd_hist_prev", "close_age_s", "n_bars", "atr_bps", "macd_signal")
ATR_INTERVAL: Interval = "1h"

Payload = dict[str, Any]


def assemble(signal: Signal, seen: Snapshot, constraints: Constraints, quality: Quality, age_s: float) -> str:
    """The payload's text. Raises Permanent `payload_too_large` when even the bare minimum is too long."""
    payload: Payload = {
        **_signal(signal, seen.coin, age_s),
        "market": _market(signal, seen),
        "timeframes": {interval: _timeframe(reading, seen) for interval, reading in seen.readings.items()},
        "constraints": constraints.model_dump(mode="json"),
        "quality_flags": quality.flags,
        "quality_score": quality.score,
    }
    return _fitting(payload)


def liquidation_gap(signal: Signal, mid: Decimal) -> Decimal | None:
    """How far the price may still go before liquidation; negative when it is already beyond. None without a liquidation price."""
    if signal.liquidation_price is None:
        return None
    gap = mid - signal.liquidation_price
    return gap if signal.long else -gap


def _signal(signal: Signal, coin: str, age_s: float) -> Payload:
    return {
        "event_id": str(signal.pk),
        "event_type": str(signal.event_type),
        "symbol": coin,
        "signal_direction": str(signal.signal_direction),
        "entry_price": _exact(signal.entry_price),
        "size": _exact(signal.size),
        "liquidation_price": None if signal.liquidation_price is None else _exact(signal.liquidation_price),
        "ts_utc": iso(signal.ts_utc),
        "signal_age_s": _number(age_s),
    }


def _market(signal: Signal, seen: Snapshot) -> Payload:
    gap = liquidation_gap(signal, seen.mid)
    hourly = seen.readings.get(ATR_INTERVAL)
    atr = _range(hourly) if isinstance(hourly, Reading) else None
    return {
        "venue": seen.market,
        "at": iso(seen.at),
        "mid": _number(seen.mid),
        "mid_age_s": _number(seen.mid_age_s),
        "drift_bps": _number(seen.drift_bps),
        "liquidation_bps": None if gap is None else _number(gap / seen.mid * BPS),
        f"liquidation_atr_{ATR_INTERVAL}": None if gap is None or not atr else _number(float(gap) / atr),
    }


def _timeframe(reading: Reading | LensError, seen: Snapshot) -> Payload | None:
    """The reading's values, or None when there is none or its newest bar should long have been followed by another."""
    if isinstance(reading, LensError) or reading.last_close is None or is_stale(reading.interval, reading.last_close, seen.at):
        return None
    atr = _range(reading)
    return {
        "close": _number(reading.close),
        "close_age_s": _number((seen.at - reading.last_close).total_seconds()),
        "n_bars": reading.n_bars,
        **{name: _number(value) for name, value in reading.values.items()},
        "macd_hist_prev": _number(reading.previous.get("macd_hist")),
        "atr_bps": None if atr is None or not reading.close else _number(atr / reading.close * 10_000),
    }


def _range(reading: Reading) -> float | None:
    return next((value for name, value in reading.values.items() if name.startswith("atr_")), None)


def _fitting(payload: Payload) -> str:
    text = canonical(payload)
    dropped: list[str] = []
    cuts = _cuts(payload["timeframes"])
    while len(text.encode()) > LIMIT_BYTES:
        cut = next(cuts, None)
        if cut is None:
            raise Permanent("payload_too_large", f"The payload does not fit into {LIMIT_BYTES} bytes.", bytes=len(text.encode()))
        dropped.append(cut())
        text = canonical({**payload, "dropped": dropped})
    return text


def _cuts(timeframes: dict[str, Payload | None]) -> Iterator[Callable[[], str]]:
    """Ways to make the payload shorter, the least loss first; each answers with the name of what it took away."""
    for name in DROP_ORDER:
        yield lambda name=name: _without_field(timeframes, name)  # type: ignore[misc]
    for interval in list(timeframes):
        yield lambda interval=interval: _without_timeframe(timeframes, interval)  # type: ignore[misc]


def _without_field(timeframes: Mapping[str, Payload | None], name: str) -> str:
    for values in timeframes.values():
        if values is not None:
            values.pop(name, None)
    return name


def _without_timeframe(timeframes: dict[str, Payload | None], interval: str) -> str:
    timeframes[interval] = None
    return f"timeframes.{interval}"


def _number(value: float | Decimal | None) -> float | int | None:
    """A JSON number of five significant digits."""
    return None if value is None else _exact(Decimal(significant(value)))


def _exact(value: Decimal) -> float | int:
    return int(value) if value == value.to_integral_value() else float(value)
