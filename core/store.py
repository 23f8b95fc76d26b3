"""Redis for what may be lost: it answers within a quarter of a second, or counts as away for the next second.

Whoever uses it must have an answer of its own for `None`. No error of Redis ever leaves this module.
"""

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from django.conf import settings
from redis import ConnectionError as DisconnectedError
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

T = TypeVar("T")

STORE_TIMEOUT_S = 0.25
AWAY_S = 1.0


class Store:
    """One client for all threads. `turned` hears when Redis goes away (True, and why) and when it is back (False)."""

    def __init__(self, url: str, turned: Callable[[bool, str], None] | None = None, patience_s: float = STORE_TIMEOUT_S) -> None:
        self._turned = turned
        self._lock = threading.Lock()
        self._away_until = 0.0
        # What is asked of it is harmless when asked twice, so a connection gone stale is worth a second try.
        again = Retry(NoBackoff(), 1, supported_errors=(DisconnectedError,))
        self.redis = Redis.from_url(url, socket_timeout=patience_s, socket_connect_timeout=STORE_TIMEOUT_S, retry=again)

    def ask(self, question: Callable[[], T]) -> T | None:
        """What `question`, a call on `redis`, returns; None when Redis is away or was found away less than a second ago."""
        if time.monotonic() < self._away_until:
            return None
        try:
            answer = question()
        except RedisError as error:
            self._turn(away=True, why=str(error))
            return None
        if self._away_until:
            self._turn(away=False, why="")
        return answer

    def _turn(self, *, away: bool, why: str) -> None:
        with self._lock:
            was = bool(self._away_until)
            self._away_until = time.monotonic() + AWAY_S if away else 0.0
        if was != away and self._turned is not None:
            self._turned(away, why)


@cache
def store() -> Store:
    """This process's, in the database that also holds the broker's queues."""
    return Store(f"{settings.REDIS_URL}/0")


@cache
def patient_store(patience_s: float) -> Store:
    """The same for calls that wait for something to happen there, at most so long."""
    return Store(f"{settings.REDIS_URL}/0", patience_s=patience_s)
