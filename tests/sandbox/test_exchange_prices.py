"""The simulated market: one function of time, whoever asks, whenever, at whatever interval."""

import json
import subprocess
import sys
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.exchange import months, units
from sandbox.exchange.book import touch
from sandbox.exchange.candles import MINUTES, SERVED, minute_bars, partial_minute, window
from sandbox.exchange.coins import Coin, universe
from sandbox.exchange.noise import draw, hashed, smooth, value_noise
from sandbox.exchange.prices import MINUTE_MS, Shift, Shifts, price_at

NOW = 1_790_518_345_600  # 2026-09-27T14:12:25.6Z
COINS = universe(1)
LIVE = [coin for coin in COINS.values() if coin.delisted_ms is None]
instants = st.integers(1_500_000_000_000, 2_000_000_000_000)
coins = st.sampled_from(LIVE)


def rows(coin: Coin, interval: str, count: int, now_ms: int = NOW, shifts: Shifts = ()) -> list[dict[str, Any]]:
    """The last `count` closed candles and the forming one."""
    span = (now_ms - count * MINUTES[interval] * MINUTE_MS, now_ms)
    return [json.loads(row) for row in window(coin, interval, span, now_ms, shifts)]


@given(st.integers(0, 2**64 - 1), st.integers(-(2**40), 2**40))
def test_one_position_draws_the_same_bits_as_an_array_of_positions(seed: int, position: int) -> None:
    assert draw(seed, position) == int(hashed(seed, np.array([position], dtype=np.int64))[0])


@given(st.integers(0, 2**64 - 1), instants, st.sampled_from([1_000, 60_000, 3_600_000]))
def test_noise_at_one_instant_agrees_with_noise_over_a_range(seed: int, at_ms: int, step_ms: int) -> None:
    positions = np.array([at_ms - step_ms, at_ms, at_ms + 1], dtype=np.int64)
    assert smooth(seed, at_ms, step_ms) == pytest.approx(value_noise(seed, positions, step_ms)[1], abs=1e-12)


def test_another_process_sees_the_same_market() -> None:
    program = (
        "import sys; from sandbox.exchange.venue import SimulatedVenue; from sandbox.exchange.wire import QUERIES\n"
        "for line in sys.stdin: print(SimulatedVenue(7).answer(QUERIES.validate_json(line), int(sys.argv[1])).body.decode())"
    )
    command = [sys.executable, "-c", program, str(NOW)]
    candles = {"coin": "ETH", "interval": "15m", "startTime": NOW - 10**8, "endTime": NOW}
    asked = [{"type": "candleSnapshot", "req": candles}, {"type": "metaAndAssetCtxs"}, {"type": "l2Book", "coin": "BTC"}]
    lines = "\n".join(json.dumps(query) for query in asked)
    first, second = (
        subprocess.run(command, input=lines, capture_output=True, text=True, check=True, timeout=60).stdout for _ in range(2)
    )
    assert first == second
    assert len(first) > 10_000


def test_another_seed_is_another_market() -> None:
    assert rows(COINS["BTC"], "1h", 5) != rows(universe(2)["BTC"], "1h", 5)


@given(coins, st.sampled_from(list(MINUTES)), instants)
@settings(max_examples=40, deadline=None)
def test_every_candle_opens_where_the_last_one_closed(coin: Coin, interval: str, now_ms: int) -> None:
    candles = rows(coin, interval, 4, now_ms)
    step_ms = MINUTES[interval] * MINUTE_MS
    assert len(candles) == 5
    for earlier, later in pairwise(candles):
        assert earlier["c"] == later["o"]
        assert later["t"] - earlier["t"] == step_ms
        assert earlier["T"] == later["t"] - 1
    for candle in candles:
        assert candle["t"] % step_ms == 0
        assert Decimal(candle["l"]) <= min(Decimal(candle["o"]), Decimal(candle["c"]))
        assert Decimal(candle["h"]) >= max(Decimal(candle["o"]), Decimal(candle["c"]))
        assert Decimal(candle["v"]) > 0
        assert candle["n"] > 0


@given(coins, st.sampled_from(["3m", "15m", "1h", "4h"]), instants, st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_long_candle_is_the_sum_of_its_minutes(coin: Coin, interval: str, now_ms: int, jumped: bool) -> None:
    shifts = (Shift(now_ms - 90_000, 1.03), Shift(now_ms - 85_000, 0.98)) if jumped else ()
    closed, forming = rows(coin, interval, 1, now_ms, shifts)
    minutes = rows(coin, "1m", 2 * MINUTES[interval], now_ms, shifts)
    for candle in (closed, forming):
        parts = [minute for minute in minutes if candle["t"] <= minute["t"] <= candle["T"]]
        assert candle["o"] == parts[0]["o"]
        assert candle["c"] == parts[-1]["c"]
        assert Decimal(candle["h"]) == max(Decimal(part["h"]) for part in parts)
        assert Decimal(candle["l"]) == min(Decimal(part["l"]) for part in parts)
        assert Decimal(candle["v"]) == sum(Decimal(part["v"]) for part in parts)
        assert candle["n"] == sum(part["n"] for part in parts)


@given(coins, instants, st.integers(1, 59_999), st.integers(1, 59_999))
@settings(max_examples=60, deadline=None)
def test_a_forming_candle_only_widens_and_ends_as_the_closed_one(coin: Coin, at_ms: int, first: int, second: int) -> None:
    minute = at_ms // MINUTE_MS
    shifts = (Shift(minute * MINUTE_MS + 30_000, 1.01),)
    early, late = (partial_minute(coin, minute, minute * MINUTE_MS + at, shifts) for at in sorted((first, second)))
    closed = minute_bars(coin, minute, 1, shifts)
    assert early.open[0] == late.open[0] == closed.open[0]
    assert early.high[0] <= late.high[0] <= closed.high[0]
    assert early.low[0] >= late.low[0] >= closed.low[0]
    assert early.volume[0] <= late.volume[0] <= closed.volume[0]
    whole = partial_minute(coin, minute, (minute + 1) * MINUTE_MS, shifts)
    assert [column[0] for column in whole.columns()] == [column[0] for column in closed.columns()]


@given(coins, instants)
@settings(max_examples=60, deadline=None)
def test_the_forming_candle_closes_inside_the_touch(coin: Coin, now_ms: int) -> None:
    best = touch(coin, price_at(coin, now_ms), now_ms)
    close = partial_minute(coin, now_ms // MINUTE_MS, now_ms, ()).close[0]
    assert best.bid <= close <= best.ask


@given(coins, st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_every_price_obeys_the_tick_rule(coin: Coin, hours_ago: int) -> None:
    for candle in rows(coin, "1m", 3, NOW - hours_ago * 3_600_000):
        for name in "ohlc":
            price = Decimal(candle[name])
            digits = price.normalize().as_tuple()
            assert len(digits.digits) <= 5 or price == price.to_integral()
            assert -int(digits.exponent) <= 6 - coin.sz_decimals


def test_a_shift_moves_prices_from_its_instant_on_and_leaves_the_past_alone() -> None:
    coin, at_ms = COINS["BTC"], NOW - 30 * MINUTE_MS
    shifts = (Shift(at_ms, 1.03),)
    calm, moved = rows(coin, "1m", 60), rows(coin, "1m", 60, shifts=shifts)
    for before, after in zip(calm, moved, strict=True):
        ratio = Decimal(after["c"]) / Decimal(before["c"])
        assert ratio == pytest.approx(Decimal("1.03") if before["T"] >= at_ms else Decimal(1), abs=Decimal("0.0001"))
    assert all(earlier["c"] == later["o"] for earlier, later in pairwise(moved))


def test_at_most_the_latest_five_thousand_candles_are_served() -> None:
    candles = window(COINS["SOL"], "1m", (0, NOW), NOW)
    assert len(candles) == SERVED
    assert json.loads(candles[-1])["t"] == NOW // MINUTE_MS * MINUTE_MS


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((-3_600_000, 0), 61),  # the recorded snapshot: an hour back, 61 candles
        ((0, 0), 1),
        ((60_000, 120_000), 0),
        ((0, -60_000), 0),
        ((-120_000, -60_000), 2),
        ((0, 10**12), 1),
    ],
    ids=["an hour back", "this instant", "the future", "backwards", "the past", "far beyond now"],
)
def test_candles_are_those_that_overlap_the_span(span: tuple[int, int], expected: int) -> None:
    assert len(window(COINS["BTC"], "1m", (NOW + span[0], NOW + span[1]), NOW)) == expected


def test_a_delisted_coin_has_candles_until_it_went() -> None:
    coin = COINS["MATIC"]
    assert coin.delisted_ms is not None
    assert rows(coin, "1h", 10) == []
    last = [json.loads(row) for row in window(coin, "1h", (coin.delisted_ms - 7_200_000, NOW), NOW)]
    assert [candle["T"] for candle in last] == [coin.delisted_ms - 3_600_001, coin.delisted_ms - 1]


@pytest.mark.parametrize(
    ("price", "decimals", "expected"),
    [
        (1234.56, 4, "1234.6"),
        (0.0012345, 6, "0.001234"),
        (123456.0, 1, "123456.0"),
        (0.012345, 5, "0.01234"),
        (84723.4, 1, "84723.0"),
    ],
)
def test_rounding_follows_the_venues_examples(price: float, decimals: int, expected: str) -> None:
    assert units.text(int(units.to_tick(np.array([price]), decimals)[0]), decimals) == expected


@pytest.mark.parametrize(
    ("count", "decimals", "expected"),
    [(847230, 1, "84723.0"), (4411, 6, "0.004411"), (0, 4, "0.0"), (-2823363, 10, "-0.0002823363"), (7, 0, "7.0")],
)
def test_decimal_text_is_written_as_the_venue_writes_it(count: int, decimals: int, expected: str) -> None:
    assert units.text(count, decimals) == expected


def test_months_are_the_sum_of_their_days_and_the_running_one_comes_last() -> None:
    days = [json.loads(row) for row in window(COINS["SOL"], "1d", (NOW - 95 * 86_400_000, NOW), NOW)]
    found = [json.loads(row) for row in months.window(COINS["SOL"], (NOW - 62 * 86_400_000, NOW), NOW)]
    assert found[-1]["t"] <= NOW <= found[-1]["T"]
    for month in found:
        inside = [day for day in days if month["t"] <= day["t"] <= month["T"]]
        assert (month["o"], month["c"], month["i"]) == (inside[0]["o"], inside[-1]["c"], "1M")
        assert Decimal(month["h"]) == max(Decimal(day["h"]) for day in inside)
        assert month["n"] == sum(day["n"] for day in inside)
    assert all(month["T"] + 1 == after["t"] for month, after in pairwise(found))


def test_a_coin_that_was_delisted_has_no_month_after_it() -> None:
    coin = next(coin for coin in COINS.values() if coin.delisted_ms is not None)
    assert coin.delisted_ms is not None
    rows = [json.loads(row) for row in months.window(coin, (coin.delisted_ms - 100 * 86_400_000, NOW), NOW)]
    assert rows
    assert rows[-1]["T"] < coin.delisted_ms
