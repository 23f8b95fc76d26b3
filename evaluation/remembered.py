"""What a process remembers of small tables that every evaluation asks: read at most once a second, so a change needs no restart.

Of many threads that find it stale one reads, on one connection; the others go on with what was known a moment ago.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

TTL_S = 1.0

T = TypeVar("T")
_all: "list[Remembered[Any]]" = []


class Remembered(Generic[T]):
    """The answer of `load`, at most `TTL_S` old when its reading began."""

    def __init__(self, load: Callable[[], T]) -> None:
        self._load = load
        self._loading = threading.Lock()
        self._answer: T | None = None
        self._read_at = float("-inf")
        _all.append(self)

    def __call__(self) -> T:
        answer = self._answer
        if answer is None:
            # Each reads for itself: to wait for another, who waits for a connection, could be a circle.
            return self._read()
        if time.monotonic() - self._read_at < TTL_S or not self._loading.acquire(blocking=False):
            return answer
        try:
            return self._read()
        finally:
            self._loading.release()

    def forget(self) -> None:
        """Ask anew at the next question."""
        self._answer = None

    def _read(self) -> T:
        asked_at = time.monotonic()
        answer = self._answer = self._load()
        self._read_at = asked_at
        return answer


def forget_all() -> None:
    """Everything is asked anew at the next question."""
    for one in _all:
        one.forget()
