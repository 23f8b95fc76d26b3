"""A call's deadline is wall-clock time, whatever the other side does with its bytes."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import httpx2
import pytest

from core.http import bounded_client, deadline, wait_wished


def serve(listener: socket.socket, pieces: list[bytes], pause: float) -> None:
    with closing(listener), closing(listener.accept()[0]) as connection:
        connection.recv(65_536)
        for piece in pieces:
            try:
                connection.sendall(piece)
            except OSError:
                return
            time.sleep(pause)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as bound:
        yield bound


DRIPPED_BODY = [b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", *[b"x"] * 100]
DRIPPED_HEAD = [bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-filler: " + b"y" * 100]


@pytest.mark.parametrize("pieces", [DRIPPED_BODY, DRIPPED_HEAD, [b""] * 100], ids=["dripping body", "dripping head", "silence"])
def test_a_dripping_server_is_cut_at_the_deadline(listener: socket.socket, pieces: list[bytes]) -> None:
    threading.Thread(target=serve, args=[listener, pieces, 0.1], daemon=True).start()
    started = time.monotonic()
    with bounded_client(timeout=30) as client, deadline(0.5), pytest.raises(httpx2.TimeoutException):
        client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    assert 0.4 < time.monotonic() - started < 1.5


def test_without_a_deadline_the_ordinary_timeouts_hold(listener: socket.socket) -> None:
    answer = [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", b"ok"]
    threading.Thread(target=serve, args=[listener, answer, 0.05], daemon=True).start()
    with bounded_client(timeout=5) as client:
        assert client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/").text == "ok"


LARGE = [b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", *[b"x" * 10_000] * 100]
BOMB = gzip.compress(b"x" * 1_000_000)
SQUEEZED = [b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(BOMB), BOMB]


def test_a_body_ends_where_the_client_says(listener: socket.socket) -> None:
    threading.Thread(target=serve, args=[listener, LARGE, 0], daemon=True).start()
    with bounded_client(most_bytes=25_000, timeout=5) as client:
        assert len(client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/").content) == 25_000


def test_a_bounded_body_is_not_unpacked(listener: socket.socket) -> None:
    threading.Thread(target=serve, args=[listener, SQUEEZED, 0], daemon=True).start()
    with bounded_client(most_bytes=25_000, timeout=5) as client:
        assert client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/").content == BOMB


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "9999999"}, 9_999_999.0),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Wed Oct 21 07:28:00 2015"}, 0.0),
        ({"retry-after": "Fri, 01 Jan 2027 00:00:00 +99999999999999"}, None),
    ],
)
def test_what_a_server_asks_for_is_read_in_one_place_and_nonsense_is_no_wish(headers: dict[str, str], wait: float | None) -> None:
    assert wait_wished(headers) == wait
