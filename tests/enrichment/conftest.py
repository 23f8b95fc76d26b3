"""The exchange simulator as a process, and what steers it."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from redis import Redis

from enrichment.providers.answers import PREFIX
from tests.enrichment.markets import ROOT


@dataclass(frozen=True)
class Exchange:
    """A running simulator."""

    url: str

    def put(self, what: str, value: Any) -> None:
        """Set `faults`, `data`, `market`, `clock` or `latency`."""
        self._send("PUT", f"_control/{what}", value)

    def faults(self, *rules: dict[str, Any]) -> None:
        """Replace the fault script."""
        self.put("faults", list(rules))

    def heal(self) -> None:
        """No fault, no damage, the clock right, nothing counted."""
        for what in ("faults", "data", "market", "clock", "latency", "requests"):
            self._send("DELETE", f"_control/{what}")

    def requests(self) -> dict[str, dict[str, int]]:
        """How often each endpoint was asked, by coin."""
        counted: dict[str, dict[str, int]] = self._send("GET", "_control/requests")["by_endpoint"]
        return counted

    def price(self, coin: str) -> Decimal:
        """The price now, asked for beside the product; not counted."""
        mids = self._send("POST", "info", {"type": "allMids"})
        self._send("DELETE", "_control/requests")
        return Decimal(mids[coin])

    def _send(self, method: str, path: str, value: Any = None) -> Any:
        body = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(f"{self.url}/{path}", body, {"Content-Type": "application/json"}, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)


@contextmanager
def simulator(*arguments: str, cwd: Path = ROOT) -> Iterator[Exchange]:
    """A simulator of this test's own."""
    command = [sys.executable, "-m", "sandbox.exchange", "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Exchange(process.stdout.readline().removeprefix("listening on ").strip())
        finally:
            process.kill()


def forget() -> None:
    """Nothing asked, spent or held: what processes tell each other of a venue."""
    with Redis.from_url(f"{settings.REDIS_URL}/0") as client:
        for name in client.scan_iter(f"{PREFIX}*"):
            client.delete(name)


@pytest.fixture(scope="session")
def _exchange() -> Iterator[Exchange]:
    with simulator() as started:
        yield started


@pytest.fixture
def exchange(_exchange: Exchange) -> Iterator[Exchange]:
    """The simulated venue, in health before and after, and no process remembering anything of it."""
    _exchange.heal()
    forget()
    yield _exchange
    _exchange.heal()
