"""Candles of every interval, all sums of the same one-minute bars, so they agree with each other and with the live price."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sandbox.exchange.coins import Coin
from sandbox.exchange.prices import MINUTE_MS, Shifts, corners, walk
from sandbox.exchange.units import text, to_tick

# Calendar months (1M) have no fixed length: see `months`.
MINUTES = {
    "1m": 1,
    "3m": 3,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
    "8h": 480,
    "12h": 720,
    "1d": 1440,
    "3d": 4320,
    "1w": 10_080,
}
SERVED = 5_000
CHUNK_MINUTES = 30_720
CHUNK_ROWS = 128

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bars:
    """Columns of equal length: prices in price units, volume in size units, trades counted."""

    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    trades: Ints

    def grouped(self, size: int) -> "Bars":
        """Bars of `size` consecutive bars each."""
        columns = (column.reshape(-1, size) for column in (self.open, self.high, self.low, self.close, self.volume, self.trades))
        opening, high, low, closing, volume, trades = columns
        return Bars(opening[:, 0], high.max(1), low.min(1), closing[:, -1], volume.sum(1), trades.sum(1))

    def followed_by(self, later: "Bars") -> "Bars":
        """These bars and then those."""
        pairs = zip(self.columns(), later.columns(), strict=True)
        return Bars(*(np.concatenate(pair) for pair in pairs))

    def columns(self) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints]:
        """Open, high, low, close, volume, trades."""
        return self.open, self.high, self.low, self.close, self.volume, self.trades


def minute_bars(coin: Coin, first: int, count: int, shifts: Shifts = ()) -> Bars:
    """`count` closed one-minute bars from minute `first` since the epoch."""
    points, spare = corners(coin, first, count)
    starts = np.arange(first, first + count, dtype=np.int64) * MINUTE_MS
    for shift in shifts:
        points[:, starts >= shift.at_ms] *= shift.factor
    prices = to_tick(points, coin.price_decimals)
    volume, trades = _activity(coin, spare)
    bars = Bars(prices[0], prices.max(0), prices.min(0), prices[3], volume, trades)
    for shift in shifts:
        offset = (shift.at_ms - 1) // MINUTE_MS - first
        if 0 <= offset < count:
            _put(bars, offset, partial_minute(coin, first + offset, (first + offset + 1) * MINUTE_MS, shifts))
    return bars


def partial_minute(coin: Coin, minute: int, until_ms: int, shifts: Shifts) -> Bars:
    """One bar of what has happened in a minute until an instant inside it."""
    start_ms = minute * MINUTE_MS
    points, spare = corners(coin, minute, 1)
    prices = to_tick(np.array(walk(points[:, 0].tolist(), start_ms, until_ms, shifts)), coin.price_decimals)
    volume, trades = _activity(coin, spare)
    part = (until_ms - start_ms) / MINUTE_MS
    done = [np.maximum(np.floor(column * part).astype(np.int64), 1) for column in (volume, trades)]
    return Bars(prices[:1], prices.max(keepdims=True), prices.min(keepdims=True), prices[-1:], *done)


def forming_bar(coin: Coin, interval: str, now_ms: int, shifts: Shifts) -> Bars:
    """The bar of the interval that is not over yet."""
    size = MINUTES[interval]
    return forming_since(coin, now_ms // MINUTE_MS // size * size, now_ms, shifts)


def forming_since(coin: Coin, first: int, now_ms: int, shifts: Shifts) -> Bars:
    """One bar of what has happened since minute `first`."""
    minute = now_ms // MINUTE_MS
    bars = partial_minute(coin, minute, now_ms, shifts)
    if minute > first:
        bars = minute_bars(coin, first, minute - first, shifts).followed_by(bars)
    return bars.grouped(len(bars.open))


def window(coin: Coin, interval: str, span_ms: tuple[int, int], now_ms: int, shifts: Shifts = ()) -> list[bytes]:
    """Encoded candles that overlap `span_ms` (both ends included), oldest first, at most the latest 5 000, the forming one last."""
    step_ms = MINUTES[interval] * MINUTE_MS
    end_of_time = now_ms if coin.delisted_ms is None else min(now_ms, coin.delisted_ms)
    current = end_of_time // step_ms
    first = max(span_ms[0] // step_ms, current - SERVED + 1, 0)
    last = min(span_ms[1] // step_ms, current)
    rows = _closed_rows(coin, interval, first, min(last, current - 1), shifts)
    if first <= last == current and end_of_time == now_ms:
        rows += _encode(coin, interval, current, forming_bar(coin, interval, now_ms, shifts))
    return rows


def _closed_rows(coin: Coin, interval: str, first: int, last: int, shifts: Shifts) -> list[bytes]:
    size = _chunk_size(interval)
    rows: list[bytes] = []
    for chunk in range(first // size, last // size + 1) if first <= last else ():
        end_ms = (chunk + 1) * size * MINUTES[interval] * MINUTE_MS
        begun = tuple(shift for shift in shifts if shift.at_ms <= end_ms)
        encoded = _chunk(coin, interval, chunk, begun)
        rows += encoded[max(first - chunk * size, 0) : last - chunk * size + 1]
    return rows


def _chunk_size(interval: str) -> int:
    return min(CHUNK_ROWS, max(1, CHUNK_MINUTES // MINUTES[interval]))


@lru_cache(maxsize=2_048)
def _chunk(coin: Coin, interval: str, chunk: int, shifts: Shifts) -> tuple[bytes, ...]:
    """A run of neighbouring closed candles. Callers cut off what is not closed yet: a later instant reads the same rows."""
    rows, size = _chunk_size(interval), MINUTES[interval]
    bars = minute_bars(coin, chunk * rows * size, rows * size, shifts).grouped(size)
    return tuple(_encode(coin, interval, chunk * rows, bars))


def _encode(coin: Coin, interval: str, first: int, bars: Bars) -> list[bytes]:
    step_ms = MINUTES[interval] * MINUTE_MS
    starts = range(first * step_ms, (first + len(bars.open)) * step_ms, step_ms)
    return encoded(coin, interval, [(start, start + step_ms) for start in starts], bars)


def encoded(coin: Coin, interval: str, spans: Sequence[tuple[int, int]], bars: Bars) -> list[bytes]:
    """Candles as the venue writes them; `spans` are where each begins and the next one does, in milliseconds."""
    names = f'"s":"{coin.name}","i":"{interval}"'

    def price(units: int) -> str:
        return text(units, coin.price_decimals)

    return [
        (
            f'{{"t":{start},"T":{end - 1},{names},"o":"{price(o)}","c":"{price(c)}",'
            f'"h":"{price(h)}","l":"{price(low)}","v":"{text(volume, coin.sz_decimals)}","n":{trades}}}'
        ).encode()
        for (start, end), o, h, low, c, volume, trades in zip(spans, *(column.tolist() for column in bars.columns()), strict=True)
    ]


def _activity(coin: Coin, spare: NDArray[np.float64]) -> tuple[Ints, Ints]:
    """Volume in size units and number of trades per minute; lively and quiet minutes differ by a factor of about twenty."""
    usual = coin.turnover / coin.price / 1440.0 * 10.0**coin.sz_decimals
    volume = np.maximum(np.rint(usual * np.exp(3.0 * (spare[0] - 0.5))), 1.0).astype(np.int64)
    trades = 1 + np.rint(np.sqrt(coin.turnover / 1440.0) / 6.0 * np.exp(2.0 * (spare[1] - 0.5))).astype(np.int64)
    return volume, trades


def _put(bars: Bars, index: int, one: Bars) -> None:
    for column, value in zip(bars.columns()[:4], one.columns()[:4], strict=True):
        column[index] = value[0]
