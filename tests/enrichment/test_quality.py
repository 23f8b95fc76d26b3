"""What is flagged, in which list, and what it costs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import LensError, Transient
from enrichment.grid import STEP, Interval
from enrichment.indicators import Reading
from enrichment.interest import InterestChange
from enrichment.microstructure import Depth, depth
from enrichment.ports import Seen
from enrichment.profiles import OrderBook, Profile
from enrichment.quality import WEIGHTS, Quality, assess, weight_of
from enrichment.snapshot import Snapshot, is_stale
from tests.enrichment.frozen import AT, MID, book, context, reading, snapshot, ticker

CLEAN: dict[str, list[str]] = {"missing_data": [], "stale_data": [], "out_of_range": [], "provider_errors": []}
DOWN = Transient("provider_down", "gone")


def judged(seen: Snapshot, size: str = "100") -> Quality:
    """The judgement of a snapshot with the book it has."""
    wanted = seen.profile.order_book
    around = depth(seen.known_books, wanted.depth_pct, Decimal(size), buys=True) if wanted else None
    return assess(seen, None, around)


def frame(changed: Reading | LensError) -> Snapshot:
    """The trend profile's market with the hour changed."""
    seen = snapshot()
    return replace(seen, readings={**seen.readings, "1h": changed})


@pytest.mark.parametrize("profile", ["trend_follow_v1", "crypto_perps_v1", "full_v1"])
def test_a_healthy_run_has_four_empty_lists_and_a_score_of_one(profile: str) -> None:
    quality = judged(snapshot(profile))
    assert quality.flags == CLEAN
    assert quality.score == 1.0


@pytest.mark.parametrize(
    ("changed", "expected", "score"),
    [
        (Transient("timeout", "slow"), {"provider_errors": ["timeout:candles:1h"], "missing_data": ["missing:candles:1h"]}, 0.8),
        (Reading("1h", 0, None, None), {"missing_data": ["missing:candles:1h"]}, 0.8),
        (reading(n_bars=37, values={"ema_50": None}, short=True), {"missing_data": ["warmup_short:1h:37"]}, 0.95),
        (reading(lacking=("vwap",)), {"missing_data": ["missing:vwap:1h"]}, 0.95),
        (reading(missing=3), {"missing_data": ["gap:1h:3"]}, 0.95),
        (reading(last_close=AT - timedelta(hours=2)), {"stale_data": ["stale:candle:1h"]}, 0.8),
        (reading(flat=True), {"out_of_range": ["flat_window:1h"]}, 0.9),
        (reading(values={"atr_14": 0.0}), {"out_of_range": ["range:atr:1h"]}, 0.85),
        (reading(values={"atr_14": 0.00093}), {"out_of_range": ["range:atr:1h"]}, 0.85),
    ],
)
def test_one_troubled_timeframe(changed: Reading | LensError, expected: dict[str, list[str]], score: float) -> None:
    quality = assess(frame(changed))
    assert quality.flags == CLEAN | expected
    assert quality.score == pytest.approx(score)


@pytest.mark.parametrize(
    ("changes", "expected", "score"),
    [
        ({"context": DOWN}, {"provider_errors": ["provider_down:context"], "missing_data": ["missing:context"]}, 0.9),
        ({"predicted": None}, {"missing_data": ["missing:predicted_funding"]}, 0.95),
        ({"context": context(oracle=None, mark=None)}, {"missing_data": ["missing:mark", "missing:oracle"]}, 0.9),
        ({"context": context(funding=Decimal("-0.041"))}, {"out_of_range": ["range:funding"]}, 0.85),
        ({"context": context(mark=Decimal("0.0049"))}, {"out_of_range": ["range:basis"]}, 0.85),
        (
            {"context": context(seen=Seen(AT - timedelta(seconds=61), AT, ""))},
            {"stale_data": ["stale:ctx", "snapshot_span:60877"]},
            0.7,
        ),
        ({"interest": InterestChange(Decimal(1), None)}, {"missing_data": ["oi_history_short:24h"]}, 0.98),
        ({"interest": None}, {"missing_data": ["oi_history_short:1h", "oi_history_short:24h"]}, 0.96),
    ],
)
def test_troubled_derivatives(changes: dict[str, Any], expected: dict[str, list[str]], score: float) -> None:
    quality = judged(snapshot("crypto_perps_v1", **changes))
    assert quality.flags == CLEAN | expected
    assert quality.score == pytest.approx(score)


def test_a_book_that_does_not_reach_is_said_so() -> None:
    quality = judged(snapshot("full_v1", books={0: book(), 500: book("0.00001")}))
    assert quality.flags == CLEAN | {"missing_data": ["obi_coverage:5pct"]}


def test_no_book_at_all_is_missing_with_its_cause_once() -> None:
    quality = judged(snapshot("full_v1", books=dict.fromkeys((0, 100, 200, 500), Transient("book_crossed", "crossed"))))
    assert quality.flags == CLEAN | {"missing_data": ["missing:book"], "provider_errors": ["book_crossed:book"]}
    assert quality.score == pytest.approx(0.9)


def test_a_size_beyond_every_book_is_flagged() -> None:
    assert judged(snapshot("full_v1"), size="1e9").flags == CLEAN | {"out_of_range": ["depth_exceeded"]}


def test_an_old_book_is_stale() -> None:
    old = replace(book("0.0001"), seen=Seen(AT - timedelta(seconds=10.2), AT, ""))
    assert judged(snapshot("full_v1", books={0: book(), 100: old, 200: old, 500: old})).flags["stale_data"][0] == "stale:book"


@pytest.mark.parametrize(
    ("changes", "kind", "flag"),
    [
        ({"ticker": ticker(seen=Seen(AT - timedelta(seconds=5.1), AT, ""))}, "stale_data", "stale:mid"),
        ({"ticker": ticker(ask=MID + Decimal("0.00005"))}, "out_of_range", "range:spread"),
        ({"ticker": ticker(mid=MID + Decimal("0.0021"))}, "out_of_range", "range:mid"),
        ({"ticker": ticker(venue_time=AT + timedelta(milliseconds=501))}, "out_of_range", "clock_skew:501"),
        ({"ticker": ticker(venue_time=AT - timedelta(seconds=3))}, "out_of_range", "clock_skew:-2877"),
        ({"worker_skew": timedelta(minutes=-10), "ticker": ticker(venue_time=None)}, "out_of_range", "clock_skew_worker:-600000"),
    ],
)
def test_a_troubled_price_or_clock(changes: dict[str, Any], kind: str, flag: str) -> None:
    assert assess(snapshot(**changes)).flags == CLEAN | {kind: [flag]}


def test_a_venue_that_stands_still_is_as_old_as_it_says() -> None:
    stuck = replace(book("0.0001"), venue_time=AT - timedelta(seconds=11))
    seen = snapshot("full_v1", ticker=ticker(venue_time=AT - timedelta(seconds=11)), books={0: stuck, 100: stuck, 500: stuck})
    found = judged(seen).flags
    assert found["stale_data"] == ["stale:mid", "stale:book"]
    assert found["out_of_range"] == ["clock_skew:-10877"]
    # A worker whose own clock is ahead by as much says nothing about the venue.
    ours = timedelta(seconds=11)
    ahead = replace(seen, observed_at=AT + ours, at=AT, worker_skew=ours, ticker=ticker(seen=Seen(AT + ours, AT + ours, "")))
    assert "stale:mid" not in judged(replace(ahead, books={0: book(), 500: book("0.0001")})).flags["stale_data"]


def test_a_price_without_its_book_says_why() -> None:
    found = assess(snapshot(ticker=ticker(bid=None, ask=None, venue_time=None, fault=Transient("book_crossed", "crossed"))))
    assert found.flags == CLEAN | {"missing_data": ["missing:spread"], "provider_errors": ["book_crossed:ticker"]}


@pytest.mark.parametrize(
    ("room", "flags"),
    [("-0.1", ["range:liquidation_price"]), ("0", ["range:liquidation_price"]), ("0.00019", ["liq_inside_atr"]), ("0.0002", [])],
)
def test_liquidation_passed_or_within_an_hours_range_is_flagged(room: str, flags: list[str]) -> None:
    assert assess(snapshot(), Decimal(room)).flags == CLEAN | {"out_of_range": flags}


def test_the_score_never_falls_below_zero() -> None:
    seen = snapshot("full_v1", readings=dict.fromkeys(STEP, DOWN), context=DOWN, predicted=DOWN, books={0: DOWN})
    assert judged(seen).score == 0.0


FLAGS = st.sampled_from([f"{code}:x" for code in WEIGHTS] + ["timeout:candles:1h", "clock_skew_worker:9000", "unheard_of"])


@given(FLAGS)
def test_every_weight_is_a_share(flag: str) -> None:
    assert 0 <= weight_of(flag) < 0.5


@given(
    st.sets(st.sampled_from(["15m", "1h", "4h"])),
    st.booleans(),
    st.booleans(),
    st.floats(0, 120),
    st.decimals("-0.001", "0.001", places=6),
)
def test_more_trouble_never_raises_the_score(
    lost: set[Interval], contextless: bool, bookless: bool, age: float, room: Decimal
) -> None:
    healthy = snapshot("full_v1")
    worse = replace(healthy, readings={interval: DOWN if interval in lost else one for interval, one in healthy.readings.items()})
    if contextless:
        worse = replace(worse, context=DOWN)
    if bookless:
        worse = replace(worse, books={0: DOWN})
    aged = replace(worse, observed_at=AT + timedelta(seconds=age))
    scores = [judged(seen).score for seen in (healthy, worse, aged)]
    assert scores == sorted(scores, reverse=True)
    found = assess(aged, room, None)
    assert 0 <= found.score <= judged(aged).score
    assert set(found.flags) == set(CLEAN)
    assert all(flag and " " not in flag for flags in found.flags.values() for flag in flags)


def test_what_a_profile_does_not_ask_for_is_not_missed() -> None:
    lean: Profile = snapshot("full_v1").profile.model_copy(update={"derivatives": False, "order_book": None})
    seen = replace(snapshot("full_v1"), profile=lean, context=None, predicted=None, interest=None, books={})
    assert assess(seen).flags == CLEAN
    assert OrderBook(depth_pct=(1,)).depth_pct == (1,)


def test_a_depth_nobody_asked_about_flags_nothing() -> None:
    assert assess(snapshot(), None, Depth()).flags == CLEAN


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
    day = datetime(2026, 1, 5, tzinfo=UTC).strftime("%Y-%m-%dT")
    assert (
        is_stale(interval, datetime.fromisoformat(f"{day}{last_close}+00:00"), datetime.fromisoformat(f"{day}{at}+00:00")) is stale
    )
