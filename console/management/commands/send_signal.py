"""`manage.py send_signal`: hand a signal to the running gateway over HTTP and, if asked, follow its decisions on the socket."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from console.lines import line
from console.load import signal_body, venue_of
from core.commands import DOWN, REFUSED, SOME_FAILED, HouseCommand
from core.ids import uuid7
from signals.symbols import canonical_symbol

WAIT_S = 60
# How the socket closes on a key it does not know, and on one without the scope.
TURNED_AWAY = {4401, 4403}


class Command(HouseCommand):
    """Sends through the front door, like any source."""

    help = "Send a signal to the running stack and follow what becomes of it."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--sample", action="store_true", help="a plausible signal near the market's present price")
        parser.add_argument("--symbol", default="BTC", help="of the sample (BTC)")
        parser.add_argument("--file", type=Path, help="a JSON body to send instead")
        parser.add_argument("--every", type=float, metavar="SECONDS", help="keep sending")
        parser.add_argument("--follow", action="store_true", help="print the decisions as they arrive on the socket")
        parser.add_argument("--key", help="API key (default: the demo key of the running stack)")

    def handle(self, *args: Any, **options: Any) -> None:
        stack = settings.STACK
        key = options["key"] or stack.get("api_key")
        if not stack.get("http") or not key:
            raise CommandError("No running stack was found; start one with `make run`.", returncode=DOWN)
        if not (options["sample"] or options["file"]):
            raise CommandError("Say --sample or --file.", returncode=REFUSED)
        sender = _Sender(stack, key, options)
        try:
            for text in sender.run():
                self.stdout.write(text)
                self.stdout.flush()
        except (httpx2.HTTPError, WebSocketException, OSError) as error:
            if _turned_away(error):
                raise CommandError(f"Refused: {error}", returncode=REFUSED) from error
            raise CommandError(f"The stack did not answer: {error}", returncode=DOWN) from error


class _Sender:
    def __init__(self, stack: dict[str, Any], key: str, options: dict[str, Any]) -> None:
        self.stack, self.options = stack, options
        self.headers = {"X-API-Key": key}
        self.sent = 0
        self.given = _read(options["file"]) if options["file"] else None

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
        for frame in _heard(socket, time.monotonic() + WAIT_S):
            if frame.get("event_id") != event_id:
                continue
            yield json.dumps(frame) if self.options["json"] else line(frame)
            if frame["type"] == "verdict":
                return
        raise CommandError(f"No verdict within {WAIT_S} s.", returncode=SOME_FAILED)

    def _send(self) -> dict[str, Any]:
        body = self.given or json.dumps(self._sample())
        headers = {**self.headers, "Content-Type": "application/json"}
        answer = httpx2.post(f"{self.stack['http']}/api/v1/signals", content=body, headers=headers, timeout=10)
        if answer.is_server_error:
            raise CommandError(f"Not accepted: {answer.text}", returncode=DOWN)
        if answer.is_client_error:
            raise CommandError(f"Refused: {answer.text}", returncode=REFUSED)
        self.sent += 1
        accepted: dict[str, Any] = answer.json()
        return accepted

    def _sample(self) -> dict[str, Any]:
        """A long or short, in turn, at the present price."""
        answer = httpx2.post(f"{venue_of(self.stack)}/info", json={"type": "allMids"}, timeout=10).raise_for_status()
        mids: dict[str, str] = answer.json()
        body = signal_body(mids, _coin(self.options["symbol"], mids), long=self.sent % 2 == 0, source="sample")
        return {**body, "idempotency_key": str(uuid7())}

    def _shown(self, accepted: dict[str, Any]) -> str:
        return json.dumps(accepted) if self.options["json"] else f"accepted  {accepted['event_id']}"


def _read(file: Path) -> str:
    """The body as it is written: reading its numbers would change them. Raises CommandError for what is no JSON."""
    try:
        text = file.read_text()
        json.loads(text)
    except (OSError, ValueError) as error:
        raise CommandError(f"--file: {file} cannot be sent: {error}", returncode=REFUSED) from error
    return text


def _coin(symbol: str, mids: dict[str, str]) -> str:
    """The asset as the venue spells it. Raises CommandError for one that it does not have."""
    try:
        wanted = canonical_symbol(symbol).upper()
    except ValueError as error:
        raise CommandError(f"--symbol: {error}", returncode=REFUSED) from error
    coin = next((coin for coin in mids if coin.upper() == wanted), None)
    if coin is None:
        raise CommandError(f"--symbol: the market has no {symbol!r}.", returncode=REFUSED)
    return coin


def _heard(socket: ClientConnection, ends: float) -> Iterator[dict[str, Any]]:
    """What the socket says until then."""
    while (left := ends - time.monotonic()) > 0:
        try:
            text = socket.recv(timeout=left)
        except TimeoutError:
            return
        yield json.loads(text)


def _expect(socket: ClientConnection, kind: str) -> None:
    while json.loads(socket.recv(timeout=10))["type"] != kind:
        continue


def _turned_away(error: Exception) -> bool:
    return isinstance(error, ConnectionClosed) and error.rcvd is not None and error.rcvd.code in TURNED_AWAY
