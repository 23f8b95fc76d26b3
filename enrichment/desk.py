"""What one process keeps at hand for all its signals: the venue's client, threads to ask it with, and the readings they share.

A reading stays good until the next bar closes, so a hundred signals at once for one coin cost one request per timeframe, and one
calculation. A venue that is late with a bar is asked again every two seconds, and one that closed a bar only just now is asked once
more: the last trades of a bar may come after its end.
"""

import os
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from threading import Lock
from typing import TypeVar

from django.conf import settings
from django.db import connection

from core.clock import ZERO, now
from core.errors import LensError
from enrichment.grid import Interval, closes
from enrichment.indicators import Reading, read
from enrichment.interest import InterestChange, PastInterest, change, past
from enrichment.ports import Book, MarketDataProvider, PerpContext, PredictedFunding
from enrichment.profiles import Profile
from enrichment.providers import PROVIDERS
from enrichment.sharing import Shared, landed
from enrichment.wanted import IndicatorSet

THREADS = 16
ASK_AGAIN_S = 2.0
SETTLES = timedelta(seconds=2)
PAST_SERVES = timedelta(seconds=30)

Key = tuple[str, Interval, int, IndicatorSet]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """What one signal wants to know of its coin at `at` (the database's clock), beside the price.

    The profile says whether funding, open interest and predicted funding are wanted, and how far from the mid books must reach.
    `behind` is how far the venue's clock is behind the database's.
    """

    coin: str
    at: datetime
    profile: Profile
    behind: timedelta = ZERO

    @property
    def closed_by(self) -> datetime:
        """Bars that end by then have ended by both clocks: what a venue sends of a bar that is still forming there is no bar."""
        return self.at - self.behind


@dataclass(frozen=True, slots=True)
class Findings:
    """The answers, each asked for side by side. In place of one that cannot be had stands its error; None was not asked for.

    `predicted` is None also where the venue predicts nothing for the coin; `interest` says how open interest has grown
    where it is known what it is now.
    """

    readings: Mapping[Interval, Reading | LensError]
    context: PerpContext | LensError | None = None
    predicted: PredictedFunding | LensError | None = None
    books: Mapping[int, Book | LensError] = field(default_factory=dict)
    interest: InterestChange | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    """A reading; when it was asked for, and when its candles were (another process may have done so), by the clock of bars."""

    reading: Reading
    asked: float
    as_of: datetime

    def good_at(self, at: datetime) -> bool:
        """Whether no bar has closed since and the last one is settled, or the venue was asked a moment ago."""
        last, interval = self.reading.last_close, self.reading.interval
        current = last is not None and at < closes(interval, last) and self.as_of - last >= SETTLES
        return current or time.monotonic() - self.asked < ASK_AGAIN_S


@dataclass(frozen=True, slots=True)
class _Past:
    interest: PastInterest
    at: datetime


class Desk:
    """One provider and the readings made from its candles. Safe to use from several threads."""

    def __init__(self, provider: MarketDataProvider) -> None:
        self.provider = provider
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix=f"{provider.name}-desk")
        self._readings: Shared[Key, _Kept] = Shared(self._pool)
        # The provider keeps these itself; here those who ask at the same moment wait for one thread instead of each taking one.
        self._contexts: Shared[str, PerpContext] = Shared(self._pool)
        self._predictions: Shared[str, PredictedFunding | None] = Shared(self._pool)
        self._books: Shared[tuple[str, int], Book] = Shared(self._pool)
        self._pasts: Shared[str, _Past] = Shared(self._pool)

    def look(self, asked: Question, within_s: float) -> Findings:
        """Everything the question names, within so many seconds."""
        ends = time.monotonic() + within_s
        flights = {interval: self._reading(asked, interval) for interval in asked.profile.timeframes}
        books = {reach: self._book(asked.coin, reach) for reach in asked.profile.reaches_bps}
        around = self._context(asked), self._predicted(asked), self._past(asked)
        readings = {interval: _reading(flight, ends) for interval, flight in flights.items()}
        context, predicted, before = (_answer(around[0], ends), _answer(around[1], ends), _answer(around[2], ends))
        seen = {reach: _book(flight, ends) for reach, flight in books.items()}
        return Findings(readings, context, predicted, seen, _grown(context, before))

    def close(self) -> None:
        """Give back threads and connections; no call may follow."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.provider.close()

    def _reading(self, asked: Question, interval: Interval) -> Future[_Kept]:
        profile = asked.profile

        def load() -> _Kept:
            began, here = time.monotonic(), now()
            candles = self.provider.candles(asked.coin, interval, profile.bars, asked.closed_by)
            return _Kept(read(candles, profile.indicators), began, asked.closed_by - max(here - candles.seen.as_of, ZERO))

        key = (asked.coin, interval, profile.bars, profile.indicators)
        return self._readings.ask(key, load, lambda kept: kept.good_at(asked.closed_by))

    def _context(self, asked: Question) -> Future[PerpContext] | None:
        if not asked.profile.derivatives:
            return None
        return self._contexts.ask(asked.coin, lambda: self.provider.context(asked.coin), _never)

    def _predicted(self, asked: Question) -> Future[PredictedFunding | None] | None:
        if not asked.profile.derivatives:
            return None
        return self._predictions.ask(asked.coin, lambda: self.provider.predicted_funding(asked.coin), _never)

    def _book(self, coin: str, reach: int) -> Future[Book]:
        return self._books.ask((coin, reach), lambda: self.provider.book(coin, reach), _never)

    def _past(self, asked: Question) -> Future[_Past] | None:
        def load() -> _Past:
            try:
                return _Past(past(self.provider.name, asked.coin, asked.at), asked.at)
            finally:
                connection.close()  # back to the pool: this thread waits for venues most of its time

        if not asked.profile.derivatives:
            return None
        return self._pasts.ask(asked.coin, load, lambda kept: abs(asked.at - kept.at) < PAST_SERVES)


def _grown(context: PerpContext | LensError | None, kept: _Past | LensError | None) -> InterestChange | None:
    if isinstance(context, PerpContext) and isinstance(kept, _Past):
        return change(context.open_interest, kept.interest)
    return None


def _reading(flight: Future[_Kept], ends: float) -> Reading | LensError:
    try:
        return landed(flight, ends - time.monotonic()).reading
    except LensError as error:
        return error


def _book(flight: Future[Book], ends: float) -> Book | LensError:
    try:
        return landed(flight, ends - time.monotonic())
    except LensError as error:
        return error


def _answer(flight: Future[T] | None, ends: float) -> T | LensError | None:
    try:
        return None if flight is None else landed(flight, ends - time.monotonic())
    except LensError as error:
        return error


def _never(_: object) -> bool:
    return False


def desk() -> Desk:
    """This process's desk for the market in the settings. Made at first use: threads and sockets do not survive a fork."""
    with _making:
        return _desk(os.getpid(), settings.LENS.market, settings.LENS.hyperliquid_url)


_making = Lock()


@lru_cache(maxsize=1)
def _desk(_pid: int, market: str, url: str) -> Desk:
    return Desk(PROVIDERS[market](market, url))
