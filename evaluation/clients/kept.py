"""One SDK client per vendor, address and key in each process: safe for many threads, made when first needed.

A registry row that changes asks for another place and so gets another client; after a fork the child begins with none, so that no
connection is shared.
"""

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import httpx2

from core.http import bounded_client

MOST_CONNECTIONS = 512
LARGEST_REPLY = 4 * 1024 * 1024

_Client = TypeVar("_Client")


class _Clients:
    """Place → SDK client and the connections under it."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Nothing made yet. In the child of a fork the parent's lock may be held by a thread that is not here, so it is new too."""
        self.made: dict[tuple[str, str, str], tuple[Any, httpx2.Client]] = {}
        self.making = threading.Lock()


_clients = _Clients()
os.register_at_fork(after_in_child=_clients.begin)


def kept(kind: str, address: str, key: str, make: Callable[[httpx2.Client], _Client]) -> _Client:
    """The client of this kind for this address and key; `make` builds it around a connection pool with bounded replies."""
    place = (kind, address, key)
    if place not in _clients.made:
        with _clients.making:
            if place not in _clients.made:
                pool = bounded_client(MOST_CONNECTIONS, most_bytes=LARGEST_REPLY, timeout=None)
                _clients.made[place] = make(pool), pool
    client: _Client = _clients.made[place][0]
    return client


def let_go() -> None:
    """Close every connection; the next call makes new ones."""
    with _clients.making:
        while _clients.made:
            _clients.made.popitem()[1][1].close()
