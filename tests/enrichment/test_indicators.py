"""Indicators against TA-Lib, against themselves on altered input, and on histories too short, flat or broken."""

import json
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from ta.volatility import AverageTrueRange

from core.errors import Transient
from enrichment.indicators import read
from enrichment.recursions import QuickAverageTrueRange
from enrichment.wanted import IndicatorSet, MacdPeriods
from tests.enrichment.markets import RECORDED, START, TREND, Row, candles, parsed, recorded_markets, walk, wire

NAMES = ["ema_9", "ema_21", "ema_50", "macd", "macd_signal", "macd_hist", "rsi_14", "atr_14"]


def reference(rows: list[Row]) -> dict[str, float]:
    """TA-Lib over the whole history, at its last bar."""
    _, high, low, close, _ = np.array(rows, dtype=float).T
    macd, signal, hist = talib.MACD(close, 12, 26, 9)
    columns = {f"ema_{period}": talib.EMA(close, period) for period in (9, 21, 50)}
    columns |= {"macd": macd, "macd_signal": signal, "macd_hist": hist}
    columns |= {"rsi_14": talib.RSI(close, 14), "atr_14": talib.ATR(high, low, close, 14)}
    return {name: float(column[-1]) for name, column in columns.items()}


def assert_parity(rows: list[Row]) -> None:
    """500 bars through the product against TA-Lib over everything; MACD is measured in ATRs, since it passes through zero."""
    expected, found = reference(rows), read(candles(rows[-500:]), TREND).values
    assert list(found) == NAMES
    for name, value in found.items():
        assert value is not None, name
        scale = expected["atr_14"] if name.startswith("macd") else abs(expected[name])
        assert abs(value - expected[name]) <= 1e-6 * scale, name


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("price", "tick"), [(60_000.0, 0.1), (0.0046, 0.000001), (1.2e-5, 1e-9)])
def test_500_bars_agree_with_talib_over_a_longer_generated_history(seed: int, price: float, tick: float) -> None:
    assert_parity(walk(1_500, seed, price, tick))


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not here")
@pytest.mark.parametrize("name", ["GOOG 1d", "ETHBTC 5m", "BTCUSDT 1m", "BTCUSDT 15m"])
def test_500_bars_agree_with_talib_over_a_longer_recorded_history(name: str) -> None:
    rows = recorded_markets()[name]
    for end in range(900, len(rows), 150):
        assert_parity([[float(value) for value in row] for row in rows[:end]])


def test_the_previous_values_are_those_of_one_bar_earlier() -> None:
    rows = walk(501)
    assert read(candles(rows[:-1]), TREND).values == pytest.approx(read(candles(rows), TREND).previous, rel=1e-9)


PRICE = st.decimals("1", "9999", places=1)


@given(st.lists(st.tuples(PRICE, PRICE, st.decimals("0", "99", places=1)), min_size=1))
@settings(max_examples=60, deadline=None)
def test_what_comes_after_the_last_closed_bar_changes_nothing(later: list[tuple[Decimal, Decimal, Decimal]]) -> None:
    market = candles(walk(500))
    end = market.bars[-1].close_time
    known = read(parsed(json.dumps(wire(market)).encode(), "1h", end), TREND)
    rows = [[str(value) for value in (a, max(a, b), min(a, b), b, volume)] for a, b, volume in later]
    more = candles([*([str(value) for value in bar[2:]] for bar in market.bars), *rows])
    assert read(parsed(json.dumps(wire(more)).encode(), "1h", end), TREND) == known


@pytest.mark.parametrize("power", [-40, -7, 1, 13])
def test_scaling_prices_by_a_power_of_two_scales_or_keeps_every_value_exactly(power: int) -> None:
    rows = walk(500)
    factor = 2.0**power
    scaled = [[*(float(value) * factor for value in row[:4]), row[4]] for row in rows]
    before, after = read(candles(rows), TREND), read(candles(scaled), TREND)
    for name in NAMES:
        value = before.values[name]
        assert value is not None
        assert after.values[name] == (value if name == "rsi_14" else value * factor), name


def test_our_atr_has_the_very_bits_of_the_library() -> None:
    _, high, low, close, _ = (pd.Series(column) for column in np.array(walk(500), dtype=float).T)
    theirs = AverageTrueRange(high, low, close, 14).average_true_range()
    assert QuickAverageTrueRange(high, low, close, 14).average_true_range().tolist() == theirs.tolist()


@pytest.mark.parametrize(
    ("bars", "present"),
    [
        (0, set()),
        (1, set()),
        (2, set()),
        (13, set()),
        (14, set()),
        (28, set()),
        (62, set()),
        (63, {"ema_9"}),
        (147, {"ema_9", "ema_21"}),
        (244, {"ema_9", "ema_21"}),
        (245, {"ema_9", "ema_21", "macd", "macd_signal", "macd_hist"}),
        (252, set(NAMES) - {"ema_50"}),
        (349, set(NAMES) - {"ema_50"}),
        (350, set(NAMES)),
    ],
)
def test_a_short_history_gives_what_it_can_and_null_for_the_rest(bars: int, present: set[str]) -> None:
    reading = read(candles(walk(bars)), TREND)
    assert {name for name, value in reading.values.items() if value is not None} == present
    assert list(reading.values) == NAMES
    assert reading.n_bars == bars
    assert reading.short is (present != set(NAMES))


def test_a_profile_without_averages_still_knows_what_it_needs() -> None:
    assert IndicatorSet(ema=(), macd=MacdPeriods(fast=2, slow=3, signal=2), rsi=5, atr=4).needs == 90


def test_a_flat_market_has_an_rsi_of_50_and_no_range() -> None:
    reading = read(candles([[100, 100, 100, 100, 0]] * 500), TREND)
    assert reading.flat
    assert reading.values == {
        **dict.fromkeys(["ema_9", "ema_21", "ema_50"], 100.0),
        **dict.fromkeys(["macd", "macd_signal", "macd_hist", "atr_14"], 0.0),
        "rsi_14": 50.0,
    }


def test_a_market_that_only_rises_has_an_rsi_of_100_and_is_not_flat() -> None:
    reading = read(candles([[price, price + 1, price, price + 1, 1] for price in range(100, 600)]), TREND)
    assert reading.values["rsi_14"] == 100.0
    assert not reading.flat


def test_a_single_missing_bar_is_bridged_at_the_last_close_and_counted() -> None:
    rows = walk(500)
    stands_still = [rows[399][3]] * 4
    bridged = read(candles(rows[:400] + rows[401:], slots=[*range(400), *range(401, 500)]), TREND)
    filled = read(candles([*rows[:400], [*stands_still, 0], *rows[401:]]), TREND)
    assert bridged.values == filled.values
    assert (bridged.missing, bridged.n_bars, filled.missing) == (1, 500, 0)


def test_a_longer_hole_leaves_only_the_history_after_it() -> None:
    rows = walk(500)
    broken = read(candles(rows[:100] + rows[103:], slots=[*range(100), *range(103, 500)]), TREND)
    assert (broken.missing, broken.n_bars) == (3, 397)
    assert broken.values == read(candles(rows[103:]), TREND).values


@pytest.mark.parametrize(
    "row",
    [
        ["NaN", 3, 1, 2, 1],
        [2, "Infinity", 1, 2, 1],
        [2, 1, 3, 2, 1],
        [2, 3, 2.5, 2.7, 1],
        [2, 2.5, 1, 2.7, 1],
        [2, 3, 1, 2, -1],
        [0, 0, 0, 0, 1],
    ],
)
def test_one_impossible_bar_spoils_the_timeframe(row: Row) -> None:
    with pytest.raises(Transient, match="bad_candles"):
        read(candles([*walk(400, price=2.0, tick=0.01), row]), TREND)


@pytest.mark.parametrize("slots", [[0, 0, 1], [0, 2, 1]])
def test_bars_out_of_order_are_refused(slots: list[int]) -> None:
    with pytest.raises(Transient, match="bad_candles"):
        read(candles(walk(3), slots=slots), TREND)


def test_the_start_up_error_is_published_and_shrinks_with_history() -> None:
    errors = [read(candles(walk(700)[-bars:]), TREND).warmup_err["ema_50"] for bars in (350, 400, 500)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-6


def test_a_reading_says_when_its_last_bar_closed() -> None:
    assert read(candles(walk(3)), TREND).last_close == START + timedelta(hours=3)
