"""An error reaches Sentry's wire with its kind and its place, and with nothing of what was being worked on."""

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CANARY = "canary-5f2c"
# A stage's bug, a view's bug, and a library's line; a secret in each error, each line, each local variable.
BREAK = """
import logging, os, django
django.setup()
from django.test import RequestFactory
from core.errors import Permanent
from core.logs import log_context
from core.problem import exception_handler
from signals.stage import _settle

class Held:
    stage, tries, policy = "enrich", 9, None
    def __getattr__(self, name):
        return lambda *_: None

def fail(prompt, kind):
    payload = {"key": prompt}
    raise kind(prompt)

prompt = os.environ["CANARY"]
try:
    fail(prompt, ValueError)
except ValueError as error:
    with log_context(event_id="0198", stage="enrich"):
        _settle(Held(), error)
request = RequestFactory().post("/api/v1/signals", {"note": prompt}, "application/json", headers={"X-API-Key": prompt})
try:
    fail(prompt, KeyError)
except KeyError as error:
    exception_handler(error, {"request": request})
logging.getLogger("somebody").warning("seen %s", prompt)
try:
    fail(prompt, lambda text: Permanent("auth_failed", text, body=text))
except Permanent as error:
    logging.getLogger("somebody").error("cannot use %s", prompt, exc_info=error, extra={"body": prompt})
"""


class Sink(ThreadingHTTPServer):
    """Takes what Sentry would, and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taker)
        self.bodies: list[bytes] = []


class Taker(BaseHTTPRequestHandler):
    """One post."""

    server: Sink

    def do_POST(self) -> None:
        """Sentry's envelope endpoint."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def sink() -> Iterator[Sink]:
    server = Sink()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def broken(**changes: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "lens_project.settings.test", "CANARY": CANARY, **changes}
    argv = [sys.executable, "-W", "ignore", "-c", BREAK]
    return subprocess.run(argv, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=True)


def test_errors_are_reported_and_nothing_secret_is(sink: Sink) -> None:
    broken(LENS_SENTRY_DSN=f"http://public@127.0.0.1:{sink.server_port}/7")
    events = [json.loads(line) for body in sink.bodies for line in body.splitlines() if b'"exception"' in line]
    assert [event["exception"]["values"][-1]["type"] for event in events] == ["ValueError", "KeyError", "Permanent"]
    assert [event["message"] for event in events] == ["stage gave up", "unhandled error in a view", "an error told by somebody"]
    assert events[0]["tags"] == {"event_id": "0198", "stage": "enrich"}
    assert events[2]["tags"] == {"code": "auth_failed"}
    assert {frame["function"] for frame in events[0]["exception"]["values"][0]["stacktrace"]["frames"]} == {"<module>", "fail"}
    assert CANARY.encode() not in b"".join(sink.bodies)


def test_without_an_address_nothing_is_even_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "import sys, django; django.setup(); print('sentry_sdk' in sys.modules)"],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "lens_project.settings.test"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "False"
