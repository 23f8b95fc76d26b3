"""`manage.py send_signal`: hand a signal to the running gateway over HTTP and, if asked, follow its decisions on the socket."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from console.lines import line
from console.load import signal_body, venue_of
from core.ids import uuid7

WAIT_S = 60


class Command(BaseCommand):
    """Sends through the front door, like any source."""

    help = "Send a signal to the running stack and follow what becomes of it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sample", action="store_true", help="a plausible signal near the market's present price")
        parser.add_argument("--symbol", default="BTC")
        parser.add_argument("--file", help="a JSON body to send instead")
        parser.add_argument("--every", type=float, metavar="SECONDS", help="keep sending")
        parser.add_argument("--follow", action="store_true", help="print the decisions as they arrive on the socket")
        parser.add_argument("--key", help="API key (default: the demo key of the running stack)")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        stack = settings.STACK
        key = options["key"] or stack.get("api_key")
        if not stack.get("http") or not key:
            raise CommandError("No running stack was found; start one with `make run`.", returncode=4)
        if not (options["sample"] or options["file"]):
            raise CommandError("Say --sample or --file.", returncode=2)
        sender = _Sender(stack, key, options)
        try:
            for line in sender.run():
                self.stdout.write(line)
                self.stdout.flush()
        except (httpx2.HTTPError, WebSocketException, OSError) as error:
            raise CommandError(f"The stack did not answer: {error}", returncode=4) from error


class _Sender:
    def __init__(self, stack: dict[str, Any], key: str, options: dict[str, Any]) -> None:
        self.stack, self.options = stack, options
        self.headers = {"X-API-Key": key}
        self.sent = 0

    def run(self) -> Iterator[str]:
        """Lines for people (or JSON lines): the acceptance, then each frame."""
        while True:
            yield from self._followed() if self.options["follow"] else [self._shown(self._send())]
            if self.options["every"] is None:
                return
            time.sleep(self.options["every"])

    def _followed(self) -> Iterator[str]:
        """Subscribe first, then send: nothing can be missed."""
        with connect(f"{self.stack['ws'][0]}/ws/decisions", additional_headers=self.headers, subprotocols=["lens.v1"]) as socket:  # type: ignore[list-item]
            socket.send(json.dumps({"op": "subscribe", "id": 1, "filter": {}}))
            _expect(socket, "subscribed")
            accepted = self._send()
            yield self._shown(accepted)
            yield from self._frames(socket, accepted["event_id"])

    def _frames(self, socket: ClientConnection, event_id: str) -> Iterator[str]:
        ends = time.monotonic() + WAIT_S
        while time.monotonic() < ends:
            frame = json.loads(socket.recv(timeout=ends - time.monotonic()))
            if frame.get("event_id") != event_id:
                continue
            yield json.dumps(frame) if self.options["json"] else line(frame)
            if frame["type"] == "verdict":
                return
        raise CommandError(f"No verdict within {WAIT_S} s.", returncode=1)

    def _send(self) -> dict[str, Any]:
        file = self.options["file"]
        body = json.loads(open(file).read()) if file else self._sample()  # noqa: PTH123, SIM115  a path the person typed
        answer = httpx2.post(f"{self.stack['http']}/api/v1/signals", json=body, headers=self.headers, timeout=10)
        if answer.status_code >= 400:
            raise CommandError(f"Refused: {answer.text}", returncode=1)
        self.sent += 1
        accepted: dict[str, Any] = answer.json()
        return accepted

    def _sample(self) -> dict[str, Any]:
        """A long or short, in turn, at the present price."""
        mids = httpx2.post(f"{venue_of(self.stack)}/info", json={"type": "allMids"}, timeout=10).json()
        body = signal_body(mids, self.options["symbol"], long=self.sent % 2 == 0, source="sample")
        return {**body, "idempotency_key": str(uuid7())}

    def _shown(self, accepted: dict[str, Any]) -> str:
        return json.dumps(accepted) if self.options["json"] else f"accepted  {accepted['event_id']}"


def _expect(socket: ClientConnection, kind: str) -> None:
    while json.loads(socket.recv(timeout=10))["type"] != kind:
        continue
