"""What the sockets of one process share: the tail, the doorbell's listener, and the watch over their credentials."""

import asyncio
import logging
import secrets
from collections.abc import Coroutine
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import Error

from access.services import Caller
from core import telemetry
from publishing import stream
from publishing.credentials import Credential
from publishing.places import Places
from publishing.tail import Tail, ahead_of_sockets

logger = logging.getLogger(__name__)

# With what `access.services` remembers, the time from a key's revocation to the end of its sockets.
WATCH_S = 0.25
# Sockets of one address that have yet to say who they are.
MOST_SILENT = 20
SOONEST_MS, LATER_MS, LATEST_MS = 200, 10, 10_000


class Client(Protocol):
    """A socket, as the hub sees it."""

    credential: Credential | None
    # The address it comes from while it has yet to say who it is.
    silent: str | None

    @property
    def caller(self) -> Caller | None:
        """For whom it was let in."""

    @property
    def closed(self) -> bool:
        """Whether it was told to go."""

    async def recheck(self, caller: Caller | None) -> None:
        """The credential stands for this caller now; None when for nobody."""

    async def fail(self) -> None:
        """Something the socket cannot do without has ended."""


class Hub:
    """Awake while there is a socket: the first one starts its tasks, the last one stops them."""

    def __init__(self) -> None:
        self.tail = Tail()
        self.places = Places()
        self.clients: set[Client] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._failing: asyncio.Future[list[None]] | None = None

    @property
    def full(self) -> bool:
        """Whether there is no room for one more who was let in. Those who were not yet, and those who go, take nobody's place."""
        return sum(client.caller is not None and not client.closed for client in self.clients) >= self._most

    def crowded(self, silent: str | None) -> bool:
        """Whether too many of its kind stand at the door: as many as may be let in, and of one address fewer that say nothing.

        Those who say nothing are counted apart, so that they keep out nobody who shows a key.
        """
        waiting = [client.silent for client in self.clients if client.caller is None and not client.closed]
        if silent is None:
            return waiting.count(None) > self._most
        return len(waiting) - waiting.count(None) >= self._most or waiting.count(silent) >= MOST_SILENT

    @property
    def _most(self) -> int:
        return int(settings.LENS.ws_max_connections)

    def pause_ms(self) -> int:
        """How long a client should wait before it comes back after a restart: the more there are, the wider they spread."""
        spread = min(SOONEST_MS + LATER_MS * len(self.clients), LATEST_MS)
        return SOONEST_MS + secrets.randbelow(spread)

    def join(self, client: Client) -> None:
        """Count the socket in."""
        self.clients.add(client)
        telemetry.ws_clients.set(len(self.clients))
        if not self._tasks:
            self.tail = Tail()
            works = (self.tail.run(), stream.listen(self.tail.wake), self._watch(), self.places.run())
            self._tasks = [self._start(work) for work in works]

    async def leave(self, client: Client) -> None:
        """Count the socket out."""
        self.clients.discard(client)
        telemetry.ws_clients.set(len(self.clients))
        if not self.clients:
            tasks, self._tasks = self._tasks, []
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """None of the tasks ever ends by itself; if one does, no socket may stay open as if it were served, and the next one that
        comes starts them all anew.
        """
        if task.cancelled():
            return
        logger.critical("the decision stream cannot be served", exc_info=task.exception())
        tasks, self._tasks = self._tasks, []
        for other in tasks:
            other.cancel()
        self._failing = asyncio.gather(*(client.fail() for client in self.clients))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            shown = {client.credential for client in self.clients if client.credential is not None}
            try:
                callers = await ahead_of_sockets(_ask, shown)
            except Error as error:
                logger.warning("keys cannot be checked; sockets stay as they are", extra={"error": str(error)})
                continue
            changed = [client for client in self.clients if callers.get(client.credential, client.caller) != client.caller]
            await asyncio.gather(*(client.recheck(callers[client.credential]) for client in changed))


_hubs: "WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


def _ask(shown: set[Credential]) -> dict[Credential | None, Caller | None]:
    return {credential: credential.caller() for credential in shown}
