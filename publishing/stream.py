"""The doorbell: "the log has grown", from whoever published to every process that serves sockets.

It carries no frame. A wake-up that is lost costs at most one tick of the tail, so nothing here waits, retries or raises.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from channels.layers import channel_layers
from redis.exceptions import RedisError

from core import telemetry

logger = logging.getLogger(__name__)

GROUP = "decisions"
PATIENCE_S = 2.0
RETRY_S = 1.0


class Doorbell:
    """One background event loop per process owns one connection; rings that arrive while one is under way become one."""

    def __init__(self) -> None:
        self.head = 0
        self.lost = 0
        self._loop = asyncio.new_event_loop()
        self._rung = asyncio.Event()
        threading.Thread(target=self._loop.run_until_complete, args=(self._deliver(),), name="doorbell", daemon=True).start()

    def ring(self, head: int) -> None:
        """From any thread, without waiting."""
        self.head = max(self.head, head)
        self._loop.call_soon_threadsafe(self._rung.set)

    async def _deliver(self) -> None:
        layer = _own_layer()
        while True:
            await self._rung.wait()
            self._rung.clear()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await layer.group_send(GROUP, {"type": "wake", "head": self.head})
            except (RedisError, OSError) as error:
                self.lost += 1
                telemetry.wakeups_lost.labels(seen_by="sender").inc()
                logger.debug("a wake-up was lost", extra={"error": str(error), "lost": self.lost})


_bells: list[Doorbell] = []
_making = threading.Lock()


def ring(head: int) -> None:
    """Tell every socket process that the log reaches `head`. Never waits, never raises for a missing Redis."""
    bell = _bells[0] if _bells else _make()
    bell.ring(head)


def _make() -> Doorbell:
    with _making:
        if not _bells:
            _bells.append(Doorbell())
        return _bells[0]


def _forget() -> None:
    """A forked child inherits neither the thread nor, safely, the lock."""
    global _making  # noqa: PLW0603
    _bells.clear()
    _making = threading.Lock()


os.register_at_fork(after_in_child=_forget)


async def listen(wake: Callable[[], None]) -> None:
    """Call `wake` at every ring, for ever; through Redis outages too, when it simply is not called."""
    layer = _own_layer()
    try:
        while True:
            try:
                await _follow(layer, wake)
            except (RedisError, OSError) as error:
                logger.debug("no wake-ups for now", extra={"error": str(error)})
                await layer.flush()
                await asyncio.sleep(RETRY_S)
    finally:
        await layer.flush()


async def _follow(layer: Any, wake: Callable[[], None]) -> None:
    channel = await layer.new_channel()
    await layer.group_add(GROUP, channel)
    while True:
        await layer.receive(channel)
        wake()


def _own_layer() -> Any:
    """Not the shared instance: flushing this one after a failure must not touch anybody else's channels."""
    return channel_layers.make_backend("default")
