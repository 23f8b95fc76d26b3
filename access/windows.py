"""Sliding windows as values: who may send how much, what the limiter ruled, and the same ruling made in this process alone."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

MICROSECONDS = 1_000_000
BURST_SPAN_S, LONG_SPAN_S = 60, 600
MOST_IDENTITIES = 10_000


@dataclass(frozen=True)
class Limits:
    """A caller's own limits. None follows the installation's setting; 0 turns that window off."""

    per_minute: int | None = None
    burst: int | None = None


INHERITED = Limits()
UNLIMITED = Limits(0, 0)


@dataclass(frozen=True)
class Window:
    """At most `limit` accepted in any `span_s` seconds."""

    name: str
    limit: int
    span_s: int

    def shared(self, processes: int) -> Self:
        """One process's share of it, never less than one request."""
        return replace(self, limit=max(self.limit // processes, 1))


def windows(limits: Limits, default: Limits) -> tuple[Window, ...]:
    """The windows in force for a caller, those that are off left out; none at all means exempt."""
    burst = default.burst if limits.burst is None else limits.burst
    per_minute = default.per_minute if limits.per_minute is None else limits.per_minute
    both = (Window("burst", burst or 0, BURST_SPAN_S), Window("sustained", 10 * (per_minute or 0), LONG_SPAN_S))
    return tuple(window for window in both if window.limit)


@dataclass(frozen=True)
class Ruling:
    """What the limiter said about one request. Times are microseconds.

    `fresh` is False for a request that was counted before. `held` and `leaves` follow the windows' order: how many requests each
    holds, and in how long its oldest leaves.
    """

    asked: tuple[Window, ...]
    accepted: bool
    fresh: bool
    wait: int
    held: tuple[int, ...] = ()
    leaves: tuple[int, ...] = ()

    @property
    def retry_after(self) -> int:
        """Whole seconds after which the next request fits, if nobody else takes the place."""
        return max(math.ceil(self.wait / MICROSECONDS), 1)

    @property
    def headers(self) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit`, and `Retry-After` when refused. Nothing for an exempt caller."""
        if not self.asked:
            return {}
        left = [
            f'"{window.name}";r={max(window.limit - held, 0)};t={math.ceil(leaves / MICROSECONDS)}'
            for window, held, leaves in zip(self.asked, self.held, self.leaves, strict=True)
        ]
        policy = ", ".join(f'"{window.name}";q={window.limit};w={window.span_s}' for window in self.asked)
        retry = {} if self.accepted else {"Retry-After": str(self.retry_after)}
        return {"RateLimit-Policy": policy, "RateLimit": ", ".join(left), **retry}


def _monotonic() -> int:
    return time.monotonic_ns() // 1000


class LocalWindows:
    """The limiter of one process, in memory: the same rules as the script's. The clock gives microseconds and never goes back."""

    def __init__(self, clock: Callable[[], int] = _monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._taken: OrderedDict[str, dict[str, int]] = OrderedDict()

    def charge(self, identity: str, token: str, asked: tuple[Window, ...]) -> Ruling:
        """Count the request if every window has room for it."""
        with self._lock:
            return self._charge(self._requests(identity), token, asked)

    def refund(self, identity: str, token: str) -> None:
        """As if the request had never been."""
        with self._lock:
            self._taken.get(identity, {}).pop(token, None)

    def _charge(self, taken: dict[str, int], token: str, asked: tuple[Window, ...]) -> Ruling:
        now = self._clock()
        spans = [window.span_s * MICROSECONDS for window in asked]
        for old in [each for each, at in taken.items() if at <= now - max(spans)]:
            del taken[old]
        times = list(taken.values())
        waits = [times[-window.limit] + span - now for window, span in zip(asked, spans, strict=True) if len(times) >= window.limit]
        known, wait = token in taken, max([0, *waits])
        if fresh := not known and not wait:
            taken[token] = now
        inside = [[at for at in taken.values() if at > now - span] for span in spans]
        leaves = tuple(times[0] + span - now if times else 0 for times, span in zip(inside, spans, strict=True))
        accepted = known or fresh
        return Ruling(asked, accepted, fresh, 0 if accepted else wait, tuple(map(len, inside)), leaves)

    def _requests(self, identity: str) -> dict[str, int]:
        """The identity's requests, oldest first. Whoever was silent longest is forgotten when there are too many identities."""
        taken = self._taken.setdefault(identity, {})
        self._taken.move_to_end(identity)
        if len(self._taken) > MOST_IDENTITIES:
            self._taken.popitem(last=False)
        return taken
