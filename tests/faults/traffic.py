"""A patient sender: signals at a steady rate, each repeated with its key until it is acknowledged, as a careful bot would."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx2

from core.ids import uuid7
from tests.stack import Lens

PATIENCE_S = 90.0
# Those that wait for an acknowledgement through an outage must not keep the next ones from being sent in time.
MOST_WAITING = 256
COINS = ("BTC", "ETH", "SOL", "HYPE")


@dataclass
class Sent:
    """What the sender knows afterwards: the event id behind each key, and how often a call had to be repeated."""

    accepted: dict[str, str] = field(default_factory=dict)
    repeats: int = 0
    unacknowledged: list[str] = field(default_factory=list)

    @property
    def event_ids(self) -> list[str]:
        """Every acknowledged signal."""
        return list(self.accepted.values())


class Sender:
    """`with Sender(lens, signals, rate) as sender: … sender.sent`. Leaving waits until every signal is acknowledged or given up."""

    def __init__(self, lens: Lens, signals: int, rate: float) -> None:
        self.lens, self.signals, self.rate = lens, signals, rate
        self.sent = Sent()
        self._halfway = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=MOST_WAITING)
        self._lock = threading.Lock()
        self._prices = lens.prices()

    def __enter__(self) -> "Sender":
        return self.begin()

    def __exit__(self, *_: object) -> None:
        self.finish()

    def begin(self) -> "Sender":
        """The first signal goes out now."""
        self._feeder = threading.Thread(target=self._feed)
        self._feeder.start()
        return self

    def wait_for_the_last(self) -> None:
        """Every signal is out; some may still be repeated."""
        self._feeder.join()

    def finish(self) -> None:
        """Every signal is out, and acknowledged or given up."""
        self._feeder.join()
        self._pool.shutdown()

    def wait_for_the_middle(self) -> None:
        """Half of the signals are out."""
        self._halfway.wait()

    def _feed(self) -> None:
        began = time.monotonic()
        for number in range(self.signals):
            time.sleep(max(began + number / self.rate - time.monotonic(), 0))
            self._pool.submit(self._send, number)
            if number == self.signals // 2:
                self._halfway.set()
        self._halfway.set()

    def _send(self, number: int) -> None:
        key, ends = str(uuid7()), time.monotonic() + PATIENCE_S
        body = self.lens.body_at(self._prices, COINS[number % len(COINS)])
        while time.monotonic() < ends:
            answer = self._try(body, key)
            if answer is not None and answer.status_code in (200, 201):
                with self._lock:
                    self.sent.accepted[key] = answer.json()["event_id"]
                return
            with self._lock:
                self.sent.repeats += 1
            time.sleep(1)
        with self._lock:
            self.sent.unacknowledged.append(key)

    def _try(self, body: dict[str, Any], key: str) -> httpx2.Response | None:
        try:
            return self.lens.post(body, **{"Idempotency-Key": key})
        except httpx2.TransportError:
            return None
