"""What enrichment asks of a venue, and the values it gets back. A provider is one class with these methods; see `providers/`.

Prices are USD per coin, sizes and open interest are coins, rates are fractions (0.0001 is one basis point), `*_bps` are hundredths
of a percent. Every value says in `seen` when it was true and when we had it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Protocol

from core.clock import ZERO, from_ms
from core.errors import Transient
from core.money import BPS, drift_bps
from enrichment.grid import Interval, closes


@dataclass(frozen=True, slots=True)
class Seen:
    """When a value was true and when we knew it, by this process's clock, and the SHA-256 (hex) of the reply it was read from.

    The venue formed the value at or after `as_of` and it was here at `available_at`; a shared value keeps its own times.
    """

    as_of: datetime
    available_at: datetime
    digest: str


@dataclass(frozen=True, slots=True)
class Ticker:
    """The price now. `mid` lies halfway between `bid` and `ask`, the best prices of the unaggregated book.

    When the book could not be used, `fault` says why, `bid` and `ask` are None and `mid` is the venue's own. `venue_time` is when
    the venue says it formed the book.
    """

    coin: str
    mid: Decimal
    bid: Decimal | None
    ask: Decimal | None
    venue_time: datetime | None
    seen: Seen
    fault: Transient | None = None

    @property
    def spread_bps(self) -> Decimal | None:
        """Ask over bid, of the mid."""
        return None if self.bid is None or self.ask is None else (self.ask - self.bid) / self.mid * BPS

    @property
    def skew_ms(self) -> int | None:
        """How far the venue's clock is ahead of ours (+) or behind (−), at least; 0 while the times can be reconciled."""
        if self.venue_time is None:
            return None
        ahead, behind = self.venue_time - self.seen.available_at, self.seen.as_of - self.venue_time
        return round(max(ahead, ZERO) / _MS) - round(max(behind, ZERO) / _MS)

    def behind(self, ahead: timedelta) -> timedelta:
        """How far the venue's clock is behind one that this process's is `ahead` of, at least; 0 where the venue did not say."""
        return ZERO if self.venue_time is None else max(self.seen.as_of - ahead - self.venue_time, ZERO)


Texts = tuple[str, str, str, str, str]


class Candle(NamedTuple):
    """One closed bar: `open_time` ≤ trades < `close_time`."""

    open_time: datetime
    close_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Candles:
    """Closed bars, oldest first, open times strictly increasing on the grid of `interval`. Bars the venue left out stay out.

    Thousands of numbers are read at every bar close and few of them as money: `starts` are the open times in Unix milliseconds,
    `texts` each bar's open, high, low, close and volume as they were written, `numbers` the same as floats in one row.
    """

    coin: str
    interval: Interval
    starts: Sequence[int]
    texts: Sequence[Texts]
    numbers: Sequence[float]
    seen: Seen

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def last_close(self) -> datetime | None:
        """When the newest bar closed; None without bars."""
        return closes(self.interval, from_ms(self.starts[-1])) if self.starts else None

    @property
    def bars(self) -> tuple[Candle, ...]:
        """The same as values."""
        opened = [from_ms(start) for start in self.starts]
        pairs = zip(opened, self.texts, strict=True)
        return tuple(Candle(at, closes(self.interval, at), *map(Decimal, texts)) for at, texts in pairs)

    def last(self, count: int) -> "Candles":
        """The newest `count` bars, or all of them when there are fewer."""
        numbers = self.numbers[-5 * count :]
        return Candles(self.coin, self.interval, self.starts[-count:], self.texts[-count:], numbers, self.seen)


class Level(NamedTuple):
    """A price and the size resting there, in coins."""

    price: Decimal
    size: Decimal


@dataclass(frozen=True, eq=False, slots=True)
class Book:
    """Resting orders, best first; never crossed, a side may be empty.

    `mid` is halfway between the best unaggregated prices. `step` is the width of a level in USD where prices were aggregated (bids
    down, asks up: a level's orders lie within one step), None where they were not; `figures` the significant figures left then.
    """

    coin: str
    mid: Decimal
    bids: Sequence[Level]
    asks: Sequence[Level]
    figures: int | None
    step: Decimal | None
    whole_bids: bool
    whole_asks: bool
    venue_time: datetime
    seen: Seen

    @property
    def bids_bps(self) -> Decimal | None:
        """How far below the mid the bids are known; None when nothing lies beyond, the venue having sent the whole side."""
        return None if self.whole_bids else -drift_bps(self.bids[-1].price, self.mid)

    @property
    def asks_bps(self) -> Decimal | None:
        """How far above the mid the asks are known; None when nothing lies beyond."""
        return None if self.whole_asks else drift_bps(self.asks[-1].price, self.mid)

    def reaches(self, bps: Decimal | int) -> bool:
        """Whether both sides are known that far from the mid."""
        return all(known is None or known >= bps for known in (self.bids_bps, self.asks_bps))


@dataclass(frozen=True, slots=True)
class PerpContext:
    """What the venue publishes about a perpetual beside its prices. None is what it left out.

    `funding` is the rate being paid now, per hour; `premium` the one it is made from; `open_interest` one-sided, in coins;
    `volume_24h` in USD; `previous_day` the mark a day ago.
    """

    coin: str
    funding: Decimal | None
    premium: Decimal | None
    open_interest: Decimal | None
    mark: Decimal | None
    oracle: Decimal | None
    volume_24h: Decimal | None
    previous_day: Decimal | None
    seen: Seen

    @property
    def open_interest_usd(self) -> Decimal | None:
        """Open interest at the mark."""
        return None if self.open_interest is None or self.mark is None else self.open_interest * self.mark

    @property
    def basis_bps(self) -> Decimal | None:
        """The mark over (+) or under (−) the oracle price."""
        return None if self.mark is None or self.oracle is None else drift_bps(self.mark, self.oracle)


@dataclass(frozen=True, slots=True)
class PredictedFunding:
    """What funding will be at the next payment, per hour as `PerpContext.funding` is; `pays_at` is when."""

    coin: str
    rate: Decimal
    pays_at: datetime
    seen: Seen


class MarketDataProvider(Protocol):
    """One venue. Safe to call from several threads; never retries; every call ends within a few seconds.

    Empty means the venue has nothing; broken means an error. Each method raises Transient (`rate_limited` with the venue's own
    wait, `timeout`, `provider_down`, `bad_reply` for an answer that cannot be trusted) or Permanent (`provider_refused`). What is
    not finite or not possible is broken, what is missing is None or an error, and neither ever a default.
    """

    name: str

    def coin(self, symbol: str) -> str:
        """The venue's spelling of a symbol, whatever its case. Raises Rejected `unknown_symbol` for unlisted and delisted ones."""
        ...

    def ticker(self, coin: str) -> Ticker:
        """The price now: at most a second older than the call, plus the answer's way here."""
        ...

    def candles(self, coin: str, interval: Interval, count: int, until: datetime) -> Candles:
        """The last `count` bars closed by `until`, or fewer when the venue has fewer; never one that is still forming."""
        ...

    def book(self, coin: str, reach_bps: int) -> Book:
        """The finest book that is known at least `reach_bps` from the mid on both sides, or the widest there is.

        Raises Transient `book_crossed` when the best bid is not below the best ask, `book_empty` when a mid cannot be formed.
        """
        ...

    def context(self, coin: str) -> PerpContext:
        """Funding, open interest, mark, oracle and volume, at most five seconds old."""
        ...

    def contexts(self) -> Sequence[PerpContext]:
        """The same for every listed coin; those whose context is broken are left out."""
        ...

    def predicted_funding(self, coin: str) -> PredictedFunding | None:
        """The next funding payment, at most half a minute old; None when the venue predicts none for this coin."""
        ...

    def close(self) -> None:
        """Give back connections and threads; no call may follow."""
        ...


_MS = timedelta(milliseconds=1)
