"""Candles of calendar months, which have no fixed length; sums of the same one-minute bars as all others."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from sandbox.exchange.candles import encoded, forming_since, minute_bars
from sandbox.exchange.coins import Coin
from sandbox.exchange.prices import MINUTE_MS, Shifts

INTERVAL = "1M"
SERVED = 48  # the venue is not older
LONGEST = timedelta(days=31)


def window(coin: Coin, span_ms: tuple[int, int], now_ms: int, shifts: Shifts = ()) -> list[bytes]:
    """Encoded months that overlap `span_ms` (both ends included), oldest first, the forming one last."""
    end_of_time = now_ms if coin.delisted_ms is None else min(now_ms, coin.delisted_ms)
    rows: list[bytes] = []
    for start, end in list(_months(span_ms, end_of_time))[-SERVED:]:
        if end <= end_of_time:
            rows.append(_closed(coin, start, end, tuple(shift for shift in shifts if shift.at_ms <= end)))
        elif end_of_time == now_ms:
            rows += encoded(coin, INTERVAL, [(start, end)], forming_since(coin, start // MINUTE_MS, now_ms, shifts))
    return rows


def _months(span_ms: tuple[int, int], until_ms: int) -> Iterator[tuple[int, int]]:
    """First millisecond of each month from the newest `SERVED` on that overlaps the span, and of the next one."""
    last = min(span_ms[1], until_ms)
    at = _first(datetime.fromtimestamp(last / 1000, UTC) - SERVED * LONGEST)
    while _ms(at) <= last:
        following = _first(at + LONGEST)
        if _ms(following) > span_ms[0]:
            yield _ms(at), _ms(following)
        at = following


@lru_cache(maxsize=512)
def _closed(coin: Coin, start_ms: int, end_ms: int, shifts: Shifts) -> bytes:
    count = (end_ms - start_ms) // MINUTE_MS
    bars = minute_bars(coin, start_ms // MINUTE_MS, count, shifts).grouped(count)
    return encoded(coin, INTERVAL, [(start_ms, end_ms)], bars)[0]


def _first(at: datetime) -> datetime:
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
