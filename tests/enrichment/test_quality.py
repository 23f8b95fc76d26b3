"""What is flagged, in which list, and what it costs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core.errors import LensError, Transient
from enrichment.indicators import Reading
from enrichment.ports import STEP, Interval
from enrichment.quality import assess, is_stale
from enrichment.snapshot import Snapshot

AT = datetime(2026, 1, 5, 9, 7, 30, tzinfo=UTC)
CLEAN: dict[str, list[str]] = {"missing_data": [], "stale_data": [], "out_of_range": [], "provider_errors": []}


def closed(interval: Interval) -> datetime:
    """The last close of an interval before AT."""
    midnight = AT.replace(hour=0, minute=0, second=0)
    return midnight + (AT - midnight) // STEP[interval] * STEP[interval]


def reading(interval: Interval = "1h") -> Reading:
    """A healthy timeframe."""
    return Reading(interval, 500, closed(interval), 100.0, {"rsi_14": 51.0, "atr_14": 0.8}, {"rsi_14": 50.0, "atr_14": 0.8})


def snapshot(**readings: Reading | LensError) -> Snapshot:
    """A market with the given timeframes changed, others healthy."""
    intervals: tuple[Interval, ...] = ("15m", "1h", "4h")
    seen = {interval: readings.get(f"tf_{interval}", reading(interval)) for interval in intervals}
    return Snapshot("sandbox", "BTC", AT, Decimal(100), 0.1, Decimal(0), seen)


def test_a_healthy_run_has_four_empty_lists_and_a_score_of_one() -> None:
    quality = assess(snapshot())
    assert quality.flags == CLEAN
    assert quality.score == 1.0


@pytest.mark.parametrize(
    ("changed", "expected", "score"),
    [
        (Transient("timeout", "slow"), {"provider_errors": ["timeout:candles:1h"], "missing_data": ["missing:candles:1h"]}, 0.8),
        (Reading("1h", 0, None, None), {"missing_data": ["missing:candles:1h"]}, 0.8),
        (replace(reading(), n_bars=37, values={"ema_50": None}, short=True), {"missing_data": ["warmup_short:1h:37"]}, 0.95),
        (replace(reading(), lacking=("vwap",)), {"missing_data": ["missing:vwap:1h"]}, 0.8),
        (replace(reading(), missing=3), {"missing_data": ["gap:1h:3"]}, 0.95),
        (replace(reading(), last_close=AT - timedelta(hours=2)), {"stale_data": ["stale:candle:1h"]}, 0.8),
        (replace(reading(), flat=True), {"out_of_range": ["flat_window:1h"]}, 0.9),
        (replace(reading(), values={"atr_14": 0.0}), {"out_of_range": ["range:atr:1h"]}, 0.85),
        (replace(reading(), values={"atr_14": 20.1}), {"out_of_range": ["range:atr:1h"]}, 0.85),
    ],
)
def test_one_troubled_timeframe(changed: Reading | LensError, expected: dict[str, list[str]], score: float) -> None:
    quality = assess(snapshot(tf_1h=changed))
    assert quality.flags == CLEAN | expected
    assert quality.score == pytest.approx(score)


def test_an_old_price_and_a_passed_liquidation_are_flagged() -> None:
    quality = assess(replace(snapshot(), mid_age_s=5.1), liquidated=True)
    assert quality.flags == CLEAN | {"stale_data": ["stale:mid"], "out_of_range": ["range:liquidation_price"]}


def test_the_score_never_falls_below_zero() -> None:
    gone = Transient("provider_down", "gone")
    seen = replace(snapshot(), readings=dict.fromkeys(STEP, gone))
    assert assess(replace(seen, mid_age_s=60)).score == 0.0


@pytest.mark.parametrize(
    ("interval", "last_close", "at", "stale"),
    [
        ("4h", "08:00:00", "11:59:59", False),
        ("4h", "08:00:00", "12:02:24", True),
        ("4h", "08:00:00", "12:02:23", False),
        ("15m", "09:00:00", "09:15:08", False),
        ("15m", "09:00:00", "09:15:09", True),
        ("1m", "09:00:00", "09:01:01", False),
        ("1m", "09:00:00", "09:01:02", True),
        ("1m", "09:01:00", "09:01:00", False),
    ],
)
def test_staleness_is_judged_by_bar_closes_with_a_grace(interval: Interval, last_close: str, at: str, stale: bool) -> None:
    day = "2026-01-05T"
    assert (
        is_stale(interval, datetime.fromisoformat(f"{day}{last_close}+00:00"), datetime.fromisoformat(f"{day}{at}+00:00")) is stale
    )
