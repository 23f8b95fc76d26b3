"""How many calls a model gets at once and per minute, over all processes. Asked only for models that have such a limit.

Places are leases in Redis, so that a killed worker's place comes free by itself. While Redis is away each process keeps to the
limits alone.
"""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from redis import Redis, RedisError

from access.throttling import limiter
from access.windows import MICROSECONDS, Window
from evaluation.models import EvaluationModel

SCRIPT = Path(__file__).with_name("slots.lua").read_text()
PREFIX = "lens:calls:"
STORE_TIMEOUT_S = 0.25
# A place comes free when a call ends, which nobody can foresee: look again in about a second.
LOOK_AGAIN_S = (0.5, 1.5)


class BusyError(Exception):
    """There is no room for this call now; `after` is when to ask again, in seconds."""

    def __init__(self, after: float) -> None:
        super().__init__(f"no room for {after:.1f} s")
        self.after = after


class _Slots:
    """Calls under way, in Redis and, for the time it is away, in this process."""

    def __init__(self) -> None:
        self._redis = Redis.from_url(
            f"{settings.REDIS_URL}/0", socket_timeout=STORE_TIMEOUT_S, socket_connect_timeout=STORE_TIMEOUT_S
        )
        self._script = self._redis.register_script(SCRIPT)
        self._lock = threading.Lock()
        self._here: Counter[str] = Counter()

    def take(self, name: str, token: str, most: int, lease: timedelta) -> bool:
        with self._lock:
            if self._here[name] >= most:
                return False
            self._here[name] += 1
        if self._shared(name, token, most, lease):
            return True
        self._leave(name)
        return False

    def give_back(self, name: str, token: str) -> None:
        self._leave(name)
        with suppress(RedisError):
            self._redis.zrem(PREFIX + name, token)

    def _shared(self, name: str, token: str, most: int, lease: timedelta) -> bool:
        arguments: list[Any] = [token, most, round(lease.total_seconds() * 1000)]
        try:
            return bool(self._script(keys=[PREFIX + name], args=arguments))
        except RedisError:
            return True

    def _leave(self, name: str) -> None:
        with self._lock:
            self._here[name] -= 1


@cache
def _slots() -> _Slots:
    return _Slots()


@contextmanager
def admitted(model: EvaluationModel, token: UUID, lease: timedelta) -> Iterator[None]:
    """A place for one call to this model. Raises BusyError."""
    if model.max_in_flight is None:
        _check_rate(model, token)
        yield
        return
    if not _slots().take(model.name, str(token), model.max_in_flight, lease):
        raise BusyError(random.uniform(*LOOK_AGAIN_S))  # noqa: S311  spreads those who wait, guards nothing
    try:
        _check_rate(model, token)
        yield
    finally:
        _slots().give_back(model.name, str(token))


def _check_rate(model: EvaluationModel, token: UUID) -> None:
    if model.calls_per_minute is None:
        return
    ruling = limiter().charge(f"model:{model.name}", str(token), (Window("model", model.calls_per_minute, 60),))
    if not ruling.accepted:
        raise BusyError(max(ruling.wait / MICROSECONDS, 0.1))
