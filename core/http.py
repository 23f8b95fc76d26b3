"""HTTP to the outside: one client type with a hard wall-clock deadline per call, and no retries.

Ordinary timeouts bound each read, so a server that drips a byte a second is never caught. Here every socket operation is given
only what is left of the deadline in force, headers, body and TLS included. A client may also bound what it reads of a body.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import httpcore2
import httpx2

from core.clock import now

_SECONDS = re.compile(r"\d{1,9}(\.\d+)?")
_ends_at: ContextVar[float | None] = ContextVar("http_deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Everything sent and received inside must be done within `seconds`; later reads raise httpx2.TimeoutException."""
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


def bounded_client(max_connections: int = 100, *, most_bytes: int | None = None, **options: Any) -> httpx2.Client:
    """A client whose calls obey `deadline`; `options` go to httpx2.Client.

    With `most_bytes` a body ends there, whatever follows, and is taken as it was sent: what is small when compressed may be huge.
    """
    limits = httpx2.Limits(max_connections=max_connections, max_keepalive_connections=max_connections, keepalive_expiry=30)
    return httpx2.Client(transport=_BoundedTransport(limits, most_bytes), follow_redirects=False, **options)


def wait_wished(headers: Mapping[str, str]) -> float | None:
    """Seconds the server asks to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date; None: absent or unreadable."""
    exact = headers.get("retry-after-ms", "")
    if _SECONDS.fullmatch(exact):
        return float(exact) / 1000
    wish = headers.get("retry-after", "")
    try:
        return float(wish) if _SECONDS.fullmatch(wish) else _seconds_until(wish)
    except (ValueError, OverflowError):
        return None


def _seconds_until(date: str) -> float:
    """A date that names no zone is in UTC. Raises ValueError, and OverflowError for a zone beyond any calendar."""
    at = parsedate_to_datetime(date)
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max((aware - now()).total_seconds(), 0.0)


def _left(timeout: float | None) -> float | None:
    ends_at = _ends_at.get()
    if ends_at is None:
        return timeout
    left = ends_at - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("the deadline of this call has passed")
    return left if timeout is None else min(left, timeout)


class _BoundedStream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> "_BoundedStream":
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _BoundedBackend(httpcore2.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        return _BoundedStream(super().connect_tcp(host, port, _left(timeout), local_address, socket_options))


class _BoundedTransport(httpx2.HTTPTransport):
    def __init__(self, limits: httpx2.Limits, most_bytes: int | None) -> None:
        super().__init__(limits=limits)
        self._most_bytes = most_bytes
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpx2.create_ssl_context(),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_BoundedBackend(),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if self._most_bytes is None:
            return super().handle_request(request)
        request.headers["accept-encoding"] = "identity"
        response = super().handle_request(request)
        response.headers.pop("content-encoding", None)
        response.stream = _Shortened(response.stream, self._most_bytes)
        return response


class _Shortened(httpx2.SyncByteStream):
    """The first bytes of a body."""

    def __init__(self, whole: Any, most_bytes: int) -> None:
        self._whole = whole
        self._left = most_bytes

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._whole:
            yield piece[: self._left]
            self._left -= len(piece)
            if self._left <= 0:
                return

    def close(self) -> None:
        self._whole.close()
