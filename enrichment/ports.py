"""What enrichment asks of a venue, and the values it gets back. A provider is one class with these methods; see `providers/`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple, Protocol

Interval = Literal["1m", "5m", "15m", "1h", "4h", "1d"]

STEP: Mapping[Interval, timedelta] = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Ticker:
    """The middle of the best bid and ask. The venue formed it at or after `as_of`, by this process's clock."""

    coin: str
    mid: Decimal
    as_of: datetime


class Candle(NamedTuple):
    """One closed bar: `open_time` ≤ trades < `close_time`. A tuple, because a signal's worth of them is made at every bar close."""

    open_time: datetime
    close_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, eq=False, slots=True)
class Candles:
    """Closed bars, oldest first, open times strictly increasing on the grid of `interval`. Bars the venue left out stay out."""

    coin: str
    interval: Interval
    bars: tuple[Candle, ...]


class MarketDataProvider(Protocol):
    """One venue. Safe to call from several threads; never retries; every call ends within a few seconds.

    Empty means the venue has nothing; broken means an error. Each method raises Transient (`rate_limited` with the venue's own
    wait, `timeout`, `provider_down`, `bad_reply` for an answer that cannot be trusted) or Permanent (`provider_refused`). What is
    missing, not finite or not positive is broken, never a default.
    """

    name: str

    def coin(self, symbol: str) -> str:
        """The venue's spelling of a symbol, whatever its case. Raises Rejected `unknown_symbol` for unlisted and delisted ones."""
        ...

    def mid(self, coin: str) -> Ticker:
        """The price now: at most a quarter of a second older than the call, plus the answer's way here."""
        ...

    def candles(self, coin: str, interval: Interval, count: int, until: datetime) -> Candles:
        """The last `count` bars closed by `until`, or fewer when the venue has fewer; never one that is still forming."""
        ...

    def close(self) -> None:
        """Give back connections and threads; no call may follow."""
        ...
