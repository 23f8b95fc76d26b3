"""The parts of a payload. Pure.

Units are in the names; distances are signed, + above the price. What was computed is rounded to five significant digits, what the
source stated is not. What could not be had is null.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core.clock import iso
from core.money import BPS, plain, significant
from enrichment.grid import Interval
from enrichment.indicators import Reading
from enrichment.levels import Level
from enrichment.microstructure import Depth
from enrichment.regime import ILLIQUID
from enrichment.snapshot import ATR_INTERVAL, Snapshot, known
from signals.models import Signal

# Funding stands at this rate, per hour, when nobody presses: interest is part of it.
NEUTRAL_FUNDING = Decimal("0.0000125")
# Another word for a value that is told (%R is %K − 100 over the same bars), a part of one, or a sum whose beginning is arbitrary.
UNTOLD = ("bb_upper", "bb_middle", "bb_lower", "obv", "volume_avg")
# A spread wider than that leaves little of a bar but the touch.
SPREAD_MOST_ATR = 0.5

Section = dict[str, Any]


def about(signal: Signal, coin: str, age_s: float) -> Section:
    """What the source asked for; its name, its notes and its key stay out."""
    return {
        "event_id": str(signal.pk),
        "event_type": str(signal.event_type),
        "symbol": coin,
        "signal_direction": str(signal.signal_direction),
        "entry_price": exact(signal.entry_price),
        "size": exact(signal.size),
        "liquidation_price": None if signal.liquidation_price is None else exact(signal.liquidation_price),
        "ts_utc": iso(signal.ts_utc),
        "signal_age_s": number(age_s),
    }


def market(seen: Snapshot, room: Decimal | None) -> Section:
    """The price now, and the way to the entry and to liquidation."""
    ticker, atr = seen.ticker, seen.atr
    return {
        "venue": seen.market,
        "at": iso(seen.at),
        "mid": number(seen.mid),
        "mid_age_s": number(seen.mid_age_s),
        "bid": number(ticker.bid),
        "ask": number(ticker.ask),
        "spread_bps": number(ticker.spread_bps),
        "drift_bps": number(seen.drift_bps),
        f"drift_atr_{ATR_INTERVAL}": number(seen.drift_atr),
        "liquidation_bps": None if room is None else number(room / seen.mid * BPS),
        f"liquidation_atr_{ATR_INTERVAL}": None if room is None or not atr else number(float(room) / atr),
    }


def timeframe(interval: Interval, seen: Snapshot) -> Section | None:
    """The values of a timeframe, or None when it says nothing."""
    told, wanted = seen.told.get(interval), seen.profile.indicators
    if told is None or told.last_close is None:
        return None
    repeats = wanted.stochastic is not None and wanted.stochastic.k == wanted.williams_r
    untold = (*UNTOLD, "williams_r") if repeats else UNTOLD
    return {
        "close": number(told.close),
        "close_age_s": number((seen.at - told.last_close).total_seconds()),
        "n_bars": told.n_bars,
        **{name: number(value) for name, value in told.values.items() if name.rstrip("_0123456789") not in untold},
        "macd_hist_prev": number(told.previous.get("macd_hist")),
        "atr_bps": None if told.atr is None or not told.close else number(told.atr / told.close * 10_000),
        **_kind(told, seen),
    }


def alignment(seen: Snapshot) -> float | None:
    """How far the timeframes agree: 1 when the averages of all of them rise, −1 when all fall. None where none has them all."""
    stacks = [reading.stack for reading in seen.told.values()]
    known = [stack for stack in stacks if stack is not None]
    return sum(known) / len(known) if known else None


def levels(seen: Snapshot) -> Section | None:
    """Support and resistance of the hour, else of the first timeframe that has them, the strongest first."""
    hourly_first = sorted(seen.told.values(), key=lambda told: told.interval != ATR_INTERVAL)
    reading = next((told for told in hourly_first if told.levels), None)
    if reading is None or not reading.atr:
        return None
    sides: dict[str, list[Section]] = {"support": [], "resistance": []}
    for level in reading.levels:
        sides["resistance" if level.above else "support"].append(_level(level, float(seen.mid), reading.atr))
    return {"timeframe": reading.interval, **sides}


def derivatives(seen: Snapshot) -> Section:
    """What the position costs to hold and how crowded it is. Funding rates are per hour, long pays when above 0; the excess is over
    what is paid when nobody presses, in the eight hours in which funding is usually quoted."""
    context, predicted = seen.fresh_context, known(seen.predicted)
    funding, grown = (None, None) if context is None else (context.funding, seen.interest)
    return {
        "funding_1h": number(funding),
        "funding_excess_bps_8h": None if funding is None else number((funding - NEUTRAL_FUNDING) * 8 * BPS),
        "predicted_funding_1h": None if predicted is None else number(predicted.rate),
        "open_interest": None if context is None else number(context.open_interest),
        "open_interest_usd": None if context is None else number(context.open_interest_usd),
        "oi_change_1h_pct": None if grown is None else number(grown.change_1h_pct),
        "oi_change_24h_pct": None if grown is None else number(grown.change_24h_pct),
        "mark": None if context is None else number(context.mark),
        "oracle": None if context is None else number(context.oracle),
        "basis_bps": None if context is None else number(context.basis_bps),
        "volume_24h_usd": None if context is None else number(context.volume_24h),
    }


def order_book(depth: Depth) -> Section:
    """Who waits around the price. Imbalance +1: bids alone."""
    return {
        "imbalance": {name: number(value) for name, value in depth.imbalance.items()},
        "level_width_bps": {name: number(value) for name, value in depth.step_bps.items()},
        "depth_usd": number(depth.depth_usd),
        "slippage_bps": number(depth.slippage_bps),
        "microprice_bps": number(depth.microprice_bps),
    }


def timestamps(seen: Snapshot) -> Mapping[str, Section]:
    """When each component was true, and when it was here."""
    found: dict[str, Section] = {}
    for component, at in seen.components():
        # Several depths of one book are one component to a reader: the oldest view, and when the last one was here.
        name = component.partition("_")[0] if component.startswith("book_") else component
        before = found.get(name)
        as_of, available_at = iso(at.as_of), iso(at.available_at)
        found[name] = {
            "as_of": as_of if before is None else min(as_of, before["as_of"]),
            "available_at": available_at if before is None else max(available_at, before["available_at"]),
        }
    return found


def number(value: float | Decimal | None) -> float | int | None:
    """A JSON number of five significant digits."""
    if value is None:
        return None
    told = Decimal(significant(value))
    return int(told) if told == told.to_integral_value() else float(told)


def exact(value: Decimal) -> float | int | str:
    """A JSON number, all of it; decimal text where it has more digits than a JSON number keeps."""
    if value == value.to_integral_value():
        return int(value)
    near = float(value)
    return near if Decimal(repr(near)) == value else plain(value)


def share(value: float) -> float | int | None:
    """A share of one to two decimals: finer would claim more than it knows."""
    return number(round(value, 2))


def _kind(reading: Reading, seen: Snapshot) -> Section:
    trend, agreed = reading.trend, alignment(seen)
    if trend is None:
        return {}
    return {
        "regime": trend.regime if liquid(reading, seen) else ILLIQUID,
        "trend_strength": None if agreed is None else share(trend.strength(abs(agreed))),
        "adx_pctl": share(trend.adx_pctl),
        "volatility_pctl": share(trend.volatility_pctl),
    }


def liquid(reading: Reading, seen: Snapshot) -> bool:
    """Whether bars of this length tell more than the way from bid to ask and back: the spread is at most half an average range."""
    ticker = seen.ticker
    if ticker.bid is None or ticker.ask is None or not reading.atr:
        return True
    return float(ticker.ask - ticker.bid) <= SPREAD_MOST_ATR * reading.atr


def _level(level: Level, mid: float, atr: float) -> Section:
    away = level.price - mid
    told: Section = {
        "price": number(level.price),
        "atr": number(round(away / atr, 2)),
        "strength": share(level.strength),
        "touches": level.touches,
    }
    return {**told, "broken": True} if level.broken else told
