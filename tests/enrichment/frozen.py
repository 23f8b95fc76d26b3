"""Markets as enrichment sees them, put together by hand for the pure tests."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from enrichment.grid import STEP, Interval
from enrichment.indicators import Reading
from enrichment.interest import InterestChange
from enrichment.levels import Level
from enrichment.ports import Book, PerpContext, PredictedFunding, Seen, Ticker
from enrichment.ports import Level as Resting
from enrichment.profiles import profile_named
from enrichment.regime import Trend
from enrichment.snapshot import Snapshot

AT = datetime(2026, 1, 5, 12, 7, 30, tzinfo=UTC)
FRESH = Seen(AT - timedelta(seconds=0.123456), AT, "ab" * 32)
MID = Decimal("0.00461234567")


def closed(interval: Interval) -> datetime:
    """The last close of an interval before AT."""
    midnight = AT.replace(hour=0, minute=0, second=0)
    return midnight + (AT - midnight) // STEP[interval] * STEP[interval]


def reading(interval: Interval = "1h", profile: str = "trend_follow_v1", **changes: Any) -> Reading:
    """A healthy timeframe with everything a profile asks for."""
    wanted = profile_named(profile).indicators
    values: dict[str, float | None] = dict.fromkeys(wanted.names, 0.00456789123)
    values["atr_14"] = 0.0002
    fields: dict[str, Any] = {
        "interval": interval,
        "n_bars": profile_named(profile).bars,
        "last_close": closed(interval),
        "close": 0.00461,
        "values": values,
        "previous": {"macd_hist": -0.00123456789},
        "warmup_err": dict.fromkeys(wanted.names, 1.23456e-9),
        "trend": Trend("TREND_UP", 31.234567, 0.7912345, 0.4412345, 0.8812345, 0.3312345, 0.0712345, 0.8812345)
        if wanted.regime
        else None,
        "levels": sides() if wanted.levels else (),
        "seen": FRESH,
    }
    return Reading(**{**fields, **changes})


def sides(count: int = 5) -> tuple[Level, ...]:
    """So many levels on either side of the price."""
    prices = [(float(MID) * (1 + sign * 0.0123456 * place), sign > 0) for place in range(1, count + 1) for sign in (-1, 1)]
    return tuple(Level(price, above, 1 / (place + 1), 3, place == 4) for place, (price, above) in enumerate(prices))


def book(step: str | None = None) -> Book:
    """Twenty levels a side: four hundredths of a basis point apart, or as wide as said."""
    width = Decimal(step or "0.0000002")
    bids, asks = ([Resting(MID + sign * width * place, Decimal(2_000 + place)) for place in range(1, 21)] for sign in (-1, 1))
    return Book("kPEPE", MID, bids, asks, 3 if step else None, Decimal(step) if step else None, False, False, AT, FRESH)


def ticker(**changes: Any) -> Ticker:
    """A price with a spread of a little more than four basis points."""
    fields: dict[str, Any] = {
        "coin": "kPEPE",
        "mid": MID,
        "bid": MID - Decimal("0.000001"),
        "ask": MID + Decimal("0.000001"),
        "venue_time": AT,
        "seen": FRESH,
    }
    return Ticker(**{**fields, **changes})


def context(**changes: Any) -> PerpContext:
    """Funding near neutral."""
    fields: dict[str, Any] = {
        "coin": "kPEPE",
        "funding": Decimal("0.0000125"),
        "premium": Decimal("0.0001"),
        "open_interest": Decimal("1234567890.1"),
        "mark": Decimal("0.0046125"),
        "oracle": Decimal("0.0046131"),
        "volume_24h": Decimal("98765432.12"),
        "previous_day": Decimal("0.0044"),
        "seen": FRESH,
    }
    return PerpContext(**{**fields, **changes})


def snapshot(profile: str = "trend_follow_v1", **changes: Any) -> Snapshot:
    """A healthy market as a profile sees it."""
    asked = profile_named(profile)
    fields: dict[str, Any] = {
        "market": "sandbox",
        "coin": "kPEPE",
        "at": AT,
        "observed_at": AT,
        "ticker": ticker(),
        "drift_bps": Decimal("1.23456789"),
        "profile": asked,
        "readings": {interval: reading(interval, profile) for interval in asked.timeframes},
    }
    if asked.derivatives:
        fields["context"] = context()
        fields["predicted"] = PredictedFunding("kPEPE", Decimal("0.000011"), AT, FRESH)
        fields["interest"] = InterestChange(Decimal("0.51234567"), Decimal("-3.1234567"))
    if asked.order_book:
        fields["books"] = {0: book(), 100: book("0.00001"), 200: book("0.00001"), 500: book("0.0001")}
    return Snapshot(**{**fields, **changes})
