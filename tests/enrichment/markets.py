"""Markets to test with: generated ones that are the same at every run, and recorded ones where they are present."""

import csv
import gzip
import json
import lzma
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import numpy as np

from core.clock import from_ms, to_ms
from enrichment.grid import STEP, Interval
from enrichment.ports import Candles, Seen, Texts
from enrichment.providers.hyperliquid_wire import parse_candles
from enrichment.wanted import IndicatorSet, MacdPeriods

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT.parent / "shared" / "data"
START = datetime(2026, 1, 1, tzinfo=UTC)
TREND = IndicatorSet(ema=(9, 21, 50), macd=MacdPeriods(fast=12, slow=26, signal=9), rsi=14, atr=14)

SEEN = Seen(START, START, "0" * 64)

Row = Sequence[float | str | Decimal]  # open, high, low, close, volume


def candles(rows: Iterable[Row], interval: Interval = "1h", slots: Iterable[int] | None = None, coin: str = "BTC") -> Candles:
    """Bars from (open, high, low, close, volume), one after the other, or in the given slots of the grid."""
    step = STEP[interval]
    listed = list(rows)
    places = range(len(listed)) if slots is None else slots
    starts = [to_ms(START + step * slot) for slot, _ in zip(places, listed, strict=True)]
    texts = [_texts(row) for row in listed]
    return Candles(coin, interval, starts, texts, [float(text) for bar in texts for text in bar], SEEN)


def _texts(row: Row) -> Texts:
    opening, high, low, close, volume = map(str, row)
    return opening, high, low, close, volume


def walk(count: int, seed: int = 7, price: float = 60_000.0, tick: float = 0.1) -> list[Row]:
    """A random walk on a grid of ticks."""
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    for _ in range(count):
        opening = price
        path = opening * np.exp(np.cumsum(random.standard_t(4, 12) * 0.0008))
        ticks = np.round(np.array([opening, *path]) / tick)
        ordered = (ticks[0], ticks.max(), ticks.min(), ticks[-1])
        price = float(ticks[-1] * tick)
        rows.append([*(round(value * tick, 10) for value in ordered), round(float(random.gamma(2.0, 40.0)), 3)])
    return rows


def wire(market: Candles, forming: Row | None = None) -> list[dict[str, object]]:
    """The same bars as Hyperliquid writes them, with a forming one at the end if given."""
    step_ms = to_ms(from_ms(0) + STEP[market.interval])
    rows = [_wire_row(market, to_ms(bar.open_time), step_ms, [format(value, "f") for value in bar[2:]]) for bar in market.bars]
    if forming is not None:
        rows.append(_wire_row(market, to_ms(market.bars[-1].close_time), step_ms, [str(value) for value in forming]))
    return rows


def parsed(body: bytes, interval: Interval, until: datetime) -> Candles:
    """What is made of an answer about Bitcoin."""
    return Candles("BTC", interval, *parse_candles(body, "BTC", interval, until), SEEN)


def _wire_row(market: Candles, start: int, step_ms: int, texts: list[str]) -> dict[str, object]:
    opening, high, low, close, volume = texts
    numbers = {"o": opening, "c": close, "h": high, "l": low, "v": volume}
    return {"t": start, "T": start + step_ms - 1, "s": market.coin, "i": market.interval, **numbers, "n": 3}


def recorded_markets() -> dict[str, list[Row]]:
    """Real history by name: stocks, a cross rate, and Bitcoin by the minute and rolled up to a quarter of an hour."""
    folder = RECORDED / "ohlcv"
    if not folder.is_dir():
        return {}
    with (folder / "backtesting_py" / "GOOG.csv").open() as file:
        daily = [line[1:6] for line in list(csv.reader(file))[1:]]
    with gzip.open(folder / "freqtrade" / "ETH_BTC-5m.json.gz", "rt") as file:
        cross = [line[1:6] for line in json.load(file)][:3_000]
    with lzma.open(folder / "binance_btcusdt_1m" / "open_2024-01_to_2024-03.csv.xz", "rt") as file:
        minutes = [[float(text) for text in line[:6]] for line, _ in zip(csv.reader(file), range(45_000), strict=False)]
    return {
        "GOOG 1d": daily,
        "ETHBTC 5m": cross,
        "BTCUSDT 1m": [line[1:6] for line in minutes[:3_000]],
        "BTCUSDT 15m": _rolled(minutes),
    }


def _rolled(minutes: list[list[float]]) -> list[Row]:
    quarters = (list(group) for _, group in groupby(minutes, key=lambda line: line[0] // 900_000))
    return [
        [group[0][1], max(line[2] for line in group), min(line[3] for line in group), group[-1][4], sum(line[5] for line in group)]
        for group in quarters
        if len(group) == 15
    ]
