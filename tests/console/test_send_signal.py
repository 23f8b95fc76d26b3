"""`manage.py send_signal`: every way it can end, each with its code; the gateway here is one that answers as it is told."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from websockets.sync.server import ServerConnection, serve

from console.management.commands import send_signal
from sandbox.kept import free_port

ACCEPTED = {"event_id": "0199c000-0000-7000-8000-000000000000", "status": "queued"}
PRICES = {"BTC": "60000", "kPEPE": "0.01"}


class Gateway(BaseHTTPRequestHandler):
    """Takes every signal, or answers as `status` says; the venue's prices are here too."""

    status = 201
    bodies: list[bytes] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked_for_prices = self.path == "/info"
        if not asked_for_prices:
            self.bodies.append(body)
        self.send_response(200 if asked_for_prices else self.status)
        self.end_headers()
        self.wfile.write(json.dumps(PRICES if asked_for_prices else ACCEPTED).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def _socket(connection: ServerConnection) -> None:
    """Subscribes whoever asks, and has nothing to tell; a key called `stranger` is turned away."""
    if connection.request is not None and connection.request.headers["X-API-Key"] == "stranger":
        connection.close(4401, "unknown key")
        return
    connection.recv()
    connection.send(json.dumps({"type": "subscribed"}))
    for _ in connection:
        continue


@pytest.fixture
def gateway(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Gateway]]:
    monkeypatch.setattr(Gateway, "bodies", [])
    monkeypatch.setattr(Gateway, "status", 201)
    with HTTPServer(("127.0.0.1", 0), Gateway) as http, serve(_socket, "127.0.0.1", 0) as socket:
        for server in (http, socket):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{http.server_port}"
        ws = f"ws://127.0.0.1:{socket.socket.getsockname()[1]}"
        settings.STACK = {"http": url, "ws": [ws], "api_key": "lens_key", "simulators": {"exchange": url}}
        yield Gateway
        http.shutdown()


def sent(*arguments: str) -> str:
    out = StringIO()
    call_command("send_signal", *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> tuple[int, str]:
    with pytest.raises(CommandError) as ended:
        sent(*arguments)
    return ended.value.returncode, str(ended.value)


def test_a_file_is_sent_as_it_is_written(gateway: type[Gateway], tmp_path: Path) -> None:
    file = tmp_path / "signal.json"
    file.write_text('{"entry_price": 60000.100000000001}')
    assert ACCEPTED["event_id"] in sent("--file", str(file))
    assert gateway.bodies == [file.read_bytes()]


@pytest.mark.parametrize("symbol", ["btc-perp", "KPEPE"])
def test_a_sample_takes_any_spelling(gateway: type[Gateway], symbol: str) -> None:
    sent("--sample", "--symbol", symbol)
    assert json.loads(gateway.bodies[0])["symbol"] in PRICES


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--sample or --file"),
        (["--file", "/nowhere/signal.json"], "--file: /nowhere/signal.json cannot be sent"),
        (["--file", __file__], f"--file: {__file__} cannot be sent"),
        (["--sample", "--symbol", "NOPE"], "--symbol: the market has no 'NOPE'"),
        (["--sample", "--symbol", "USD"], "--symbol: names a quote currency"),
        (["--sample", "--follow", "--key", "stranger"], "unknown key"),
    ],
    ids=["nothing", "no file", "no JSON", "unknown", "no asset", "key"],
)
def test_what_makes_no_sense_is_code_2_and_says_why(arguments: list[str], says: str) -> None:
    code, message = refused(*arguments)
    assert (code, says in message) == (2, True), message


@pytest.mark.parametrize(("status", "code"), [(400, 2), (401, 2), (429, 2), (500, 4), (503, 4)])
def test_a_refused_signal_is_code_2_and_a_gateway_in_trouble_code_4(gateway: type[Gateway], status: int, code: int) -> None:
    gateway.status = status
    assert refused("--sample")[0] == code


@pytest.mark.usefixtures("gateway")
def test_without_a_verdict_it_is_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_signal, "WAIT_S", 0.2)
    assert refused("--sample", "--follow") == (1, "No verdict within 0.2 s.")


def test_without_a_gateway_it_is_code_4(gateway: type[Gateway], settings: Any) -> None:
    settings.STACK |= {"http": f"http://127.0.0.1:{free_port()}"}
    assert refused("--sample")[0] == 4
