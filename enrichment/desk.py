"""What one process keeps at hand for all its signals: the venue's client, threads to ask it with, and the readings they share.

A reading stays good until the next bar closes, so a hundred signals at once for one coin cost one request per timeframe, and one
calculation. A venue that is late with a bar is asked again every two seconds.
"""

import os
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from threading import Lock

from django.conf import settings

from core.errors import LensError
from enrichment.indicators import Reading, read
from enrichment.ports import STEP, Interval, MarketDataProvider
from enrichment.profiles import Profile
from enrichment.providers import PROVIDERS
from enrichment.sharing import Shared, landed
from enrichment.wanted import IndicatorSet

THREADS = 12
ASK_AGAIN_S = 2.0

Key = tuple[str, Interval, int, IndicatorSet]


@dataclass(frozen=True, slots=True)
class _Kept:
    reading: Reading
    asked: float

    def good_at(self, at: datetime) -> bool:
        """Whether no bar has closed since, or the venue was asked for it a moment ago."""
        last = self.reading.last_close
        current = last is not None and at < last + STEP[self.reading.interval]
        return current or time.monotonic() - self.asked < ASK_AGAIN_S


class Desk:
    """One provider and the readings made from its candles. Safe to use from several threads."""

    def __init__(self, provider: MarketDataProvider) -> None:
        self.provider = provider
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix=f"{provider.name}-candles")
        self._readings: Shared[Key, _Kept] = Shared(self._pool)

    def readings(self, coin: str, profile: Profile, at: datetime, within_s: float) -> Mapping[Interval, Reading | LensError]:
        """Every timeframe of the profile as of `at`, asked for side by side; in place of one that cannot be had, its error."""
        ends = time.monotonic() + within_s
        flights = {interval: self._flight(coin, interval, profile, at) for interval in profile.timeframes}
        return {interval: _outcome(flight, ends) for interval, flight in flights.items()}

    def close(self) -> None:
        """Give back threads and connections; no call may follow."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.provider.close()

    def _flight(self, coin: str, interval: Interval, profile: Profile, at: datetime) -> Future[_Kept]:
        def load() -> _Kept:
            asked = time.monotonic()
            return _Kept(read(self.provider.candles(coin, interval, profile.bars, at), profile.indicators), asked)

        return self._readings.ask((coin, interval, profile.bars, profile.indicators), load, lambda kept: kept.good_at(at))


def _outcome(flight: Future[_Kept], ends: float) -> Reading | LensError:
    try:
        return landed(flight, ends - time.monotonic()).reading
    except LensError as error:
        return error


def desk() -> Desk:
    """This process's desk for the market in the settings. Made at first use: threads and sockets do not survive a fork."""
    with _making:
        return _desk(os.getpid(), settings.LENS.market, settings.LENS.hyperliquid_url)


_making = Lock()


@lru_cache(maxsize=1)
def _desk(_pid: int, market: str, url: str) -> Desk:
    return Desk(PROVIDERS[market](market, url))
