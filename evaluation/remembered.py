"""What a process remembers of small tables that every evaluation asks: read at most once a second, so a change needs no restart."""

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

TTL_S = 1.0

T = TypeVar("T")
_all: "list[Remembered[Any]]" = []


class Remembered(Generic[T]):
    """The answer of `load`, at most `TTL_S` old."""

    def __init__(self, load: Callable[[], T]) -> None:
        self._load = load
        self._answer: T | None = None
        self._read_at = float("-inf")
        _all.append(self)

    def __call__(self) -> T:
        answer = self._answer
        if answer is None or time.monotonic() - self._read_at >= TTL_S:
            answer = self._answer = self._load()
            self._read_at = time.monotonic()
        return answer

    def forget(self) -> None:
        """Ask anew at the next question."""
        self._read_at = float("-inf")


def forget_all() -> None:
    """Everything is asked anew at the next question."""
    for one in _all:
        one.forget()
