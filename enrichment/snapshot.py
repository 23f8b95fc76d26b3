"""What one enrichment saw, before it is judged or written down. Pure values; an error stands where something could not be had."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import TypeVar

from core.errors import LensError
from core.money import BPS
from enrichment.grid import STEP, Interval, closes
from enrichment.indicators import Reading
from enrichment.interest import InterestChange
from enrichment.ports import Book, PerpContext, PredictedFunding, Seen, Ticker
from enrichment.profiles import Profile

ATR_INTERVAL: Interval = "1h"
CONTEXT_STALE_S = 60.0
GRACE_LEAST = timedelta(seconds=2)
GRACE_SHARE = 0.01
T = TypeVar("T")


@dataclass(frozen=True)
class Snapshot:
    """The market at `at` by the database's clock; at `observed_at`, by this process's, everything was there.

    `worker_skew` is how far this process's clock is ahead of the database's. `drift_bps` is the price against the
    entry, + above. What the profile does not ask for is empty.
    """

    market: str
    coin: str
    at: datetime
    observed_at: datetime
    ticker: Ticker
    drift_bps: Decimal
    profile: Profile
    readings: Mapping[Interval, Reading | LensError]
    context: PerpContext | LensError | None = None
    predicted: PredictedFunding | LensError | None = None
    interest: InterestChange | None = None
    books: Mapping[int, Book | LensError] = field(default_factory=dict)
    worker_skew: timedelta = timedelta(0)

    @property
    def mid(self) -> Decimal:
        """The price now."""
        return self.ticker.mid

    @property
    def mid_age_s(self) -> float:
        """How old the price may be, in seconds: by when it was asked for, or by what the venue itself says."""
        return max(self.age_s(self.ticker.seen), self._venue_age_s(self.ticker.venue_time))

    @property
    def book_age_s(self) -> float:
        """The same of the oldest book; 0 when there is none."""
        return max((max(self.age_s(book.seen), self._venue_age_s(book.venue_time)) for book in self.known_books), default=0.0)

    @cached_property
    def atr(self) -> float | None:
        """The average true range of an hour, as a price: what distances are measured in. None when it could not be had."""
        hourly = self.told.get(ATR_INTERVAL)
        return None if hourly is None else hourly.atr

    @cached_property
    def told(self) -> Mapping[Interval, Reading]:
        """The readings that have a bar, and whose newest should not long have been followed by another: only these say anything."""
        return {
            interval: reading
            for interval, reading in self.readings.items()
            if isinstance(reading, Reading) and reading.last_close and not is_stale(interval, reading.last_close, self.at)
        }

    @property
    def drift_atr(self) -> float | None:
        """The drift in those."""
        entry = self.mid / (1 + self.drift_bps / BPS)
        return float(self.mid - entry) / self.atr if self.atr else None

    @property
    def known_books(self) -> list[Book]:
        """Those that could be had."""
        return [book for book in self.books.values() if isinstance(book, Book)]

    @property
    def fresh_context(self) -> PerpContext | None:
        """Funding and its like, unless they are too old to be told."""
        context = known(self.context)
        return context if context is not None and self.age_s(context.seen) <= CONTEXT_STALE_S else None

    def age_s(self, seen: Seen) -> float:
        """How old a value may be."""
        return max((self.observed_at - seen.as_of).total_seconds(), 0.0)

    def _venue_age_s(self, at: datetime | None) -> float:
        """How long ago that was by the database's clock; 0 for what the venue dates ahead of it, or not at all."""
        return 0.0 if at is None else max((self.observed_at - self.worker_skew - at).total_seconds(), 0.0)

    def components(self) -> Iterator[tuple[str, Seen]]:
        """Every answer there is by name, with when it was true and when it was here. Candles are true as of their last close."""
        yield "mid", self.ticker.seen
        for interval, reading in self.readings.items():
            if isinstance(reading, Reading) and reading.seen is not None and reading.last_close is not None:
                yield f"candles_{interval}", Seen(reading.last_close, reading.seen.available_at, reading.seen.digest)
        for name, value in (("context", known(self.context)), ("predicted_funding", known(self.predicted))):
            if value is not None:
                yield name, value.seen
        for reach, book in self.books.items():
            if isinstance(book, Book):
                yield f"book_{reach}bps", book.seen

    @property
    def span(self) -> timedelta:
        """From the oldest to the newest live answer: price, context and books (candles and predictions have times of their own)."""
        live = [seen.as_of for name, seen in self.components() if not name.startswith(("candles", "predicted"))]
        return max(live) - min(live)


def known(value: T | LensError | None) -> T | None:
    """The value, or None where there is none or an error instead."""
    return None if isinstance(value, LensError) else value


def is_stale(interval: Interval, last_close: datetime, at: datetime) -> bool:
    """Whether a bar that should have closed by now is not there. Judged by bar closes: a 4 h bar is rightly almost 4 h old.

    A venue gets 2 s, or one hundredth of the interval if that is longer, to deliver a bar.
    """
    return at - closes(interval, last_close) >= max(GRACE_LEAST, STEP[interval] * GRACE_SHARE)
