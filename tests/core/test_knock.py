"""A container's health check against a real server."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError

import pytest

from core.knock import main


class Door(BaseHTTPRequestHandler):
    """Open to those who come by the right name over TLS; `/ready` is not."""

    def do_GET(self) -> None:
        welcome = self.headers["Host"] == "lens.example.com" and self.headers["X-Forwarded-Proto"] == "https"
        self.send_response(503 if self.path.startswith("/ready") else 200 if welcome else 400)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def port() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield str(server.server_port)
        server.shutdown()


def test_it_comes_by_a_name_that_is_served(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENS_ALLOWED_HOSTS", "lens.example.com, other.example.com")
    assert main(port) == 0
    with pytest.raises(HTTPError):
        main(port, "/ready?role=ingest")
