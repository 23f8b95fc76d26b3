"""A venue that fails again and again is left alone for a while, and then asked once to see whether it is back.

```
closed ── 5 failures in a row ──▶ open ── its rest is over ──▶ half open, one question passes
   ▲                               ▲                                │
   └────────── it answers ─────────┼────────────────────────────────┤
                                   └── it fails: rest twice as long ┘
```
"""

import threading
import time
from enum import IntEnum

from core import telemetry
from core.errors import Transient

FAILURES = 5
REST_S = 2.0
LONGEST_REST_S = 30.0


class State(IntEnum):
    """As the metric shows it."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """One endpoint of one venue, for all threads of this process."""

    def __init__(self, provider: str, endpoint: str) -> None:
        self._provider, self._endpoint = provider, endpoint
        self._lock = threading.Lock()
        self._state = State.CLOSED
        self._failures = 0
        self._rest_s = REST_S
        self._until = 0.0

    def enter(self) -> None:
        """Call before asking; `succeeded`, `failed` or `released` must follow.

        Raises Transient `provider_down` while it is left alone.
        """
        with self._lock:
            if self._state == State.CLOSED:
                return
            left = self._until - time.monotonic()
            if left <= 0:
                # One probe passes. Should its thread die without a word, the next may pass after another rest.
                self._turn(State.HALF_OPEN)
                self._until = time.monotonic() + self._rest_s
                return
        telemetry.provider_unasked.labels(provider=self._provider, why="open").inc()
        raise Transient("provider_down", f"{self._provider} has failed lately and is left alone.", retry_after=left)

    def released(self) -> None:
        """Nothing was asked after all; the next question may be the probe."""
        with self._lock:
            if self._state == State.HALF_OPEN:
                self._until = 0.0
                self._turn(State.OPEN)

    def succeeded(self) -> None:
        """It answered, whatever it said."""
        if self._state == State.CLOSED and not self._failures:
            return
        with self._lock:
            self._failures, self._rest_s = 0, REST_S
            self._turn(State.CLOSED)

    def failed(self) -> None:
        """It did not answer."""
        with self._lock:
            self._failures += 1
            if self._state == State.HALF_OPEN:
                self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)
            elif self._state == State.OPEN or self._failures < FAILURES:
                return
            self._until = time.monotonic() + self._rest_s
            self._turn(State.OPEN)

    def _turn(self, to: State) -> None:
        self._state = to
        telemetry.provider_breaker.labels(provider=self._provider, endpoint=self._endpoint).set(to)
