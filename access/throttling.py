"""The limiter: exact sliding windows across processes in one Redis step, and a bound per process while Redis is away.

`charged` counts a signal and gives the place back when it fails; `watch` counts a failed or invalid request of a peer.
"""

import hashlib
import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

from django.conf import settings

from access.windows import BURST_SPAN_S, MICROSECONDS, Limits, LocalWindows, Ruling, Window, windows
from core import telemetry
from core.problem import Problem
from core.store import Store

logger = logging.getLogger(__name__)

State = Literal["exact", "local"]

SCRIPT = Path(__file__).with_name("sliding_windows.lua").read_text()
PREFIX = "lens:limit:"
PEER_FACTOR = 10
LOGIN_SPAN_S = 600
LOGINS_OF_A_PEER, LOGINS_OF_A_NAME = 30, 10
DEFAULT_BURST = 120


class Limiter:
    """Rules in Redis; when it does not answer, in memory for the next second, each process with its share of the limits.

    `clock` gives microseconds and replaces both the server's clock and this process's.
    """

    def __init__(self, url: str, processes: int, clock: Callable[[], int] | None = None) -> None:
        self._clock = clock
        self._processes = processes
        self._local = LocalWindows(clock) if clock else LocalWindows()
        self._store = Store(url, _turned)
        self._script = self._store.redis.register_script(SCRIPT)

    def charge(self, identity: str, token: str, asked: tuple[Window, ...]) -> Ruling:
        """Count the request if every window has room; the same token again is free. `asked` must not be empty."""
        spans: list[Any] = [number for window in asked for number in (window.limit, window.span_s * MICROSECONDS)]
        at = self._clock() if self._clock else ""
        answer = self._store.ask(lambda: self._script(keys=[PREFIX + identity], args=[token, at, *spans]))
        if answer is None:
            return self._local.charge(identity, token, tuple(window.shared(self._processes) for window in asked))
        accepted, fresh, wait, *rest = (int(number) for number in answer)
        return Ruling(asked, bool(accepted), bool(fresh), wait, tuple(rest[::2]), tuple(rest[1::2]))

    def refund(self, identity: str, token: str) -> None:
        """As if the request had never been. What Redis cannot be told leaves by itself with its window."""
        self._local.refund(identity, token)
        self._store.ask(lambda: self._store.redis.zrem(PREFIX + identity, token))

    def state(self) -> State:
        """Asks Redis: `local` while it does not answer."""
        return "local" if self._store.ask(self._store.redis.ping) is None else "exact"


def _turned(away: bool, why: str) -> None:
    telemetry.limiter_local.set(away)
    logger.warning("the limiter is %s now", "local" if away else "exact", extra={"error": why})


@cache
def limiter() -> Limiter:
    """This process's limiter."""
    return Limiter(f"{settings.REDIS_URL}/0", settings.LENS.web_processes)


def state() -> State:
    """How requests are limited just now, for the readiness report."""
    return limiter().state()


@dataclass
class Charge:
    """One signal's place in its caller's windows."""

    identity: str
    token: str
    ruling: Ruling

    @property
    def accepted(self) -> bool:
        """Whether there was room, or the same request was counted before."""
        return self.ruling.accepted

    @property
    def headers(self) -> dict[str, str]:
        """The answer's `RateLimit` headers."""
        return self.ruling.headers

    @property
    def took_place(self) -> bool:
        """Whether there is anything to give back: not when exempt, refused, or counted before."""
        return self.ruling.fresh and bool(self.ruling.asked)

    def keep(self) -> None:
        """The place is a stored signal's: whatever happens now, it stays taken."""
        self.ruling = replace(self.ruling, fresh=False)

    def refund(self) -> None:
        """Give the place back, if this request took one."""
        if self.took_place:
            limiter().refund(self.identity, self.token)
            self.ruling = replace(self.ruling, fresh=False, held=tuple(held - 1 for held in self.ruling.held))

    def refusal(self) -> Problem:
        """The 429 to raise."""
        telemetry.rate_limited.labels(by="caller").inc()
        return Problem("rate_limited", f"Too many signals; try again in {self.ruling.retry_after} s.", self.headers)


@contextmanager
def charged(identity: str, limits: Limits, idempotency_key: str | None) -> Iterator[Charge]:
    """Counts one signal of this sender. Requests with one idempotency key count once, however many arrive at once.

    A refused request is the body's to answer: it may yet be a repetition, which is free. An exception inside refunds.
    """
    asked = windows(limits, _defaults())
    token = secrets.token_hex(8) if idempotency_key is None else hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]
    ruling = limiter().charge(identity, token, asked) if asked else Ruling((), accepted=True, fresh=True, wait=0)
    charge = Charge(identity, token, ruling)
    done = False
    try:
        yield charge
        done = True
    finally:
        if not done:
            charge.refund()


def watch(peer: str) -> None:
    """Counts a request of this peer that was unauthenticated or invalid. Raises Problem rate_limited beyond 10 × BURST a minute.

    With `LENS_RATE_LIMIT_BURST=0` signals are not limited; guesses still are, by the setting's default.
    """
    cap = PEER_FACTOR * (settings.LENS.rate_limit_burst or DEFAULT_BURST)
    asked = (Window("peer", cap, BURST_SPAN_S),)
    ruling = limiter().charge(f"failed:{_neighbourhood(peer)}", secrets.token_hex(8), asked)
    if not ruling.accepted:
        telemetry.rate_limited.labels(by="peer").inc()
        raise Problem("rate_limited", "Too many requests that failed; try again later.", ruling.headers)


class LoginTries:
    """Tries of a person to log in, counted by where they come from and by the name they give; good ones are forgotten."""

    def __init__(self, peer: str, name: str) -> None:
        self._token = secrets.token_hex(8)
        digest = hashlib.sha256(name.strip().casefold().encode("utf-8", "replace")).hexdigest()[:32]
        self._asked = {
            f"login:peer:{_neighbourhood(peer)}": (Window("peer", LOGINS_OF_A_PEER, LOGIN_SPAN_S),),
            f"login:name:{digest}": (Window("name", LOGINS_OF_A_NAME, LOGIN_SPAN_S),),
        }

    def begin(self) -> int:
        """Seconds to wait before the next try; 0 when this one may go on."""
        rulings = [limiter().charge(identity, self._token, asked) for identity, asked in self._asked.items()]
        refused = [ruling.retry_after for ruling in rulings if not ruling.accepted]
        if refused:
            self.forgive()
            telemetry.rate_limited.labels(by="login").inc()
        return max(refused, default=0)

    def forgive(self) -> None:
        """As if there had been no try."""
        for identity in self._asked:
            limiter().refund(identity, self._token)


def exempt(limits: Limits) -> bool:
    """Whether a caller with these limits has none."""
    return not windows(limits, _defaults())


def _defaults() -> Limits:
    return Limits(settings.LENS.rate_limit_per_minute, settings.LENS.rate_limit_burst)


def _neighbourhood(peer: str) -> str:
    """An IPv6 host has a whole /64 to come from."""
    with suppress(ValueError):
        return str(ip_network(f"{peer}/64", strict=False)) if ":" in peer else peer
    return peer
