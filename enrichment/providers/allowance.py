"""How much a venue may be asked: its weight limit per minute, counted for all processes behind this address.

While Redis is away each process counts what it spent itself. The venue has the last word: when it answers 429, everyone waits as
long as it wishes.
"""

import threading
import time
from collections import deque
from pathlib import Path

from core import telemetry
from core.errors import Transient
from core.store import Store
from enrichment.providers.answers import PREFIX

SCRIPT = Path(__file__).with_name("allowance.lua").read_text()
SPAN_S = 60.0
UNLIMITED = 1_000_000_000
# Prices and listings may spend what is left when everything else must wait.
RESERVED = 0.1
UNTOLD_WAIT_S = 2.0
LONGEST_HOLD_S = 60.0


class Allowance:
    """One venue's limit. Without `per_minute` there is none, and only the venue's own wish is minded."""

    def __init__(self, name: str, host: str, per_minute: int | None, store: Store) -> None:
        self._name, self._per_minute, self._store = name, per_minute, store
        self._keys = [f"{PREFIX}{host}:spent", f"{PREFIX}{host}:held"]
        self._script = store.redis.register_script(SCRIPT)
        self._lock = threading.Lock()
        self._spent: deque[tuple[float, int]] = deque()
        self._held_until = 0.0

    def take(self, weight: int, *, first: bool = False) -> None:
        """Count a request of this weight. Raises Transient `rate_limited` when it does not fit; `first` may use the reserve too."""
        limit = UNLIMITED if self._per_minute is None else self._per_minute
        limit = limit if first else round(limit * (1 - RESERVED))
        wait_ms = self._store.ask(lambda: int(self._script(keys=self._keys, args=[weight, limit])))
        if not wait_ms:  # counted here too, for the time when Redis is away
            wait_ms = self._alone(weight, limit if wait_ms is None else None)
        if not wait_ms:
            telemetry.provider_weight.labels(provider=self._name).inc(weight)
        else:
            why = "held" if wait_ms < 0 else "budget"
            telemetry.provider_unasked.labels(provider=self._name, why=why).inc()
            told = "asked for patience" if wait_ms < 0 else "has been asked as much as it allows"
            raise Transient("rate_limited", f"{self._name} {told}.", retry_after=abs(wait_ms) / 1000, why=why)

    def hold(self, seconds: float | None) -> None:
        """The venue wants no request for so long."""
        wait_s = min(UNTOLD_WAIT_S if seconds is None else seconds, LONGEST_HOLD_S)
        if wait_s > 0:
            self._held_until = time.monotonic() + wait_s
            self._store.ask(lambda: self._store.redis.set(self._keys[1], 1, px=max(round(wait_s * 1000), 1)))

    def _alone(self, weight: int, limit: int | None) -> int:
        """The same rule over what this process spent, for when Redis is away. Without `limit` it only counts."""
        with self._lock:
            now = time.monotonic()
            while self._spent and self._spent[0][0] <= now - SPAN_S:
                self._spent.popleft()
            if limit is not None and now < self._held_until:
                return -max(round((self._held_until - now) * 1000), 1)
            over = sum(spent for _, spent in self._spent) + weight - (UNLIMITED if limit is None else limit)
            leaves = now
            for at, spent in self._spent:
                if over <= 0:
                    break
                over, leaves = over - spent, at + SPAN_S
            if leaves > now or over > 0:
                return max(round((leaves - now) * 1000), 1)
            self._spent.append((now, weight))
            return 0
