"""The whole product for a test: its own launcher, its own data directory, free ports; and a client that keeps the books."""

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
from websockets.sync.client import ClientConnection, connect

from core.clock import iso, now
from sandbox import schema
from sandbox.kept import LOOPBACK, free_port, port_is_free
from sandbox.services import Servers
from sandbox.stack import Stack
from tests.described import checked

ROOT = Path(__file__).resolve().parents[1]
TERMINAL = {"published", "rejected", "dlq", "failed"}
_OURS = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "DJANGO_SECRET_KEY")


class Lens:
    """A running stack as its users see it: HTTP, sockets, commands, and the simulators' own books."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.facts = stack.facts
        self.headers = {"X-API-Key": self.facts["api_key"]}
        self.http = httpx2.Client(base_url=self.facts["http"], headers=self.headers, timeout=20)
        self.world = httpx2.Client(timeout=20)

    def close(self) -> None:
        self.http.close()
        self.world.close()

    def prices(self) -> dict[str, str]:
        """Every coin's present mid."""
        return dict(self.world.post(self.facts["simulators"]["exchange"] + "/info", json={"type": "allMids"}).json())

    def body(self, **changes: Any) -> dict[str, Any]:
        """A long at the present mid of its coin (BTC where the coin has none)."""
        return self.body_at(self.prices(), **changes)

    def body_at(self, mids: dict[str, str], symbol: str = "BTC", **changes: Any) -> dict[str, Any]:
        """The same at mids read before."""
        entry = Decimal(mids.get(symbol, mids["BTC"]))
        fields = {
            "event_type": "OPEN_SIGNAL",
            "symbol": symbol,
            "signal_direction": "long",
            "entry_price": str(entry),
            "size": "0.1",
            "liquidation_price": str((entry * Decimal("0.9")).quantize(Decimal("0.0001"))),
            "ts_utc": iso(now()),
            "source": "desk_7",
        }
        return {**fields, **changes}

    def post(self, body: dict[str, Any], **headers: str) -> httpx2.Response:
        return self.http.post("/api/v1/signals", json=body, headers=headers)

    def submit(self, **changes: Any) -> str:
        """A signal that was taken; its event id."""
        answer = self.post(self.body(**changes))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["event_id"])

    def ready(self) -> bool:
        """Whether every part of it works just now."""
        try:
            return self.http.get("/ready").status_code == 200
        except httpx2.TransportError:
            return False

    def event(self, event_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/api/v1/events/{event_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def settled(self, event_ids: list[str], within: float = 60) -> dict[str, dict[str, Any]]:
        """Every event whole, once all are terminal. Fails naming those that are not in time."""
        waiting, ends = set(event_ids), time.monotonic() + within
        found: dict[str, dict[str, Any]] = {}
        while waiting:
            for event_id in sorted(waiting):
                event = self.event(event_id)
                if event["status"] in TERMINAL:
                    found[event_id] = event
                    waiting.discard(event_id)
            assert time.monotonic() < ends, {event_id: self.event(event_id) for event_id in sorted(waiting)[:3]}
            time.sleep(0.1)
        return found

    @contextmanager
    def listen(self, process: int = 0, **subscription: Any) -> Iterator["Listener"]:
        """A socket that is subscribed."""
        with connect(self.facts["ws"][process] + "/ws/decisions", additional_headers=self.headers) as opened:
            listener = Listener(opened)
            listener.say({"op": "subscribe", "id": 1, "filter": {}, **subscription})
            listener.until(lambda frame: frame["type"] == "subscribed")
            yield listener

    def head(self) -> dict[str, Any]:
        """The stream's `epoch` and `head_seq`."""
        page = self.http.get("/api/v1/decisions/stream", params={"limit": 1}).json()
        return {"epoch": page["epoch"], "head_seq": page["head_seq"]}

    def frames(self, after: int = 0) -> list[dict[str, Any]]:
        """The whole stream over REST, or what came after a seq."""
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["seq"] if found else after
            page = self.http.get("/api/v1/decisions/stream", params={"after_seq": after, "limit": 200}).json()["results"]
            found += page
            if not page:
                return found

    def calls(self, **of: str) -> list[dict[str, Any]]:
        """The model vendor's own books: prompts received and answered, by event and model; all of them, or `event_id`'s."""
        answer = self.world.get(self.facts["simulators"]["llm"] + "/_control/calls", params=of)
        return list(answer.json()["calls"])

    def script(self, simulator: str, path: str, rules: Any) -> None:
        """Set what a simulator does."""
        self.world.put(f"{self.facts['simulators'][simulator]}/_control/{path}", json=rules).raise_for_status()

    def unscript(self, simulator: str, path: str) -> None:
        self.world.delete(f"{self.facts['simulators'][simulator]}/_control/{path}").raise_for_status()

    def manage(self, *arguments: str) -> str:
        """A management command, finding the stack the way a person's would."""
        environ = {name: value for name, value in os.environ.items() if name not in _OURS}
        environ["LENS_DATA_DIR"] = str(self.stack.plan.data_dir)
        argv = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(argv, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


class Listener:
    """A socket and everything it heard."""

    def __init__(self, opened: ClientConnection) -> None:
        self.socket = opened
        self.heard: list[dict[str, Any]] = []

    def say(self, message: dict[str, Any]) -> None:
        self.socket.send(json.dumps(message))

    def until(self, enough: Callable[[dict[str, Any]], bool], within: float = 60) -> dict[str, Any]:
        """Hear until a frame is the one; it. Raises TimeoutError."""
        ends = time.monotonic() + within
        while True:
            frame = checked(json.loads(self.socket.recv(timeout=max(ends - time.monotonic(), 0.01))))
            self.heard.append(frame)
            if enough(frame):
                return frame

    def until_verdicts(self, event_ids: list[str], within: float = 60) -> None:
        """Hear until each of these events has its verdict."""
        missing = set(event_ids) - {frame["event_id"] for frame in self.heard if frame["type"] == "verdict"}
        ends = time.monotonic() + within
        while missing:
            frame = self.until(lambda heard: heard["type"] == "verdict", max(ends - time.monotonic(), 0.01))
            missing.discard(frame["event_id"])

    @property
    def frames(self) -> list[dict[str, Any]]:
        """Decisions and verdicts, in the order heard."""
        return [frame for frame in self.heard if frame["type"] in {"decision", "verdict"}]


def manage(database: str, *arguments: str) -> None:
    """A management command that needs no more than a database."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LENS_")}
    environ |= {"DATABASE_URL": database, "REDIS_URL": "redis://127.0.0.1:1", "DJANGO_SECRET_KEY": "none"}
    environ["DJANGO_SETTINGS_MODULE"] = "lens_project.settings.local"
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=environ, check=True, stdout=subprocess.DEVNULL)


def free_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    while True:
        first = free_port()
        if all(port_is_free(LOOPBACK, first + offset) for offset in range(1, count)):
            return first


@functools.cache
def _migrated() -> Path:
    """A data directory whose servers are made and migrated, for every stack of this run to begin with."""
    data_dir = Path(tempfile.mkdtemp(prefix="lens-migrated-"))
    atexit.register(shutil.rmtree, data_dir, ignore_errors=True)
    with Servers(data_dir, {}) as servers:
        manage(servers.database_url, "migrate", "--verbosity", "0")
        schema.mark(servers.database_url, ROOT)
    return data_dir


@contextmanager
def running(data_dir: Path, **environ: str) -> Iterator[Lens]:
    """The stack in a directory, with two socket processes unless told otherwise."""
    shutil.copytree(_migrated(), data_dir, dirs_exist_ok=True)
    clean = {name: value for name, value in os.environ.items() if name not in _OURS and not name.startswith("LENS_")}
    sockets = free_ports(2)
    http = free_port(not_these=(sockets, sockets + 1))
    ports = {"LENS_HTTP_PORT": str(http), "LENS_WS_PORT": str(sockets), "LENS_WS_PROCESSES": "2"}
    with Stack({**clean, **ports, "LENS_DATA_DIR": str(data_dir), **environ}) as stack:
        lens = Lens(stack)
        try:
            yield lens
        finally:
            lens.close()
