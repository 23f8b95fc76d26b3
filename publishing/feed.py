"""One subscription being served: from its cursor through the table into memory and on, then live. There is no seam to cross.

A feed holds a cursor, never a queue: while it may not send, it does not read.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from django.db import Error

from core.clock import iso, now
from publishing import selectors
from publishing.frames import Published
from publishing.subscriptions import BEFORE_RETENTION, Chain, Filter, Log
from publishing.tail import RETRY_S, Tail, in_thread

logger = logging.getLogger(__name__)

# Between pages other sockets have their turn.
PAGE = 200
Send = Callable[[str], Awaitable[None]]


def resync(log: Log, reason: str) -> str:
    """The frame that says: you missed something; here is where to read what is left."""
    return json.dumps({"type": "resync", "reason": reason, "head_seq": log.head, "rest": log.rest()})


class Feed:
    """Sends what matches, in order, and a heartbeat when there is nothing to send."""

    def __init__(self, tail: Tail, wanted: Filter, chain: Chain, send: Send) -> None:
        self._wanted = wanted
        self._chain = chain
        self._tail = tail
        self._send = send
        self._generation = tail.generation
        self._moved = asyncio.Event()
        self._beat_due = False

    async def run(self, heartbeat_s: float) -> None:
        """Serve until cancelled."""
        loop = asyncio.get_running_loop()
        self._tail.listeners.add(self._moved.set)
        beat = loop.call_later(heartbeat_s, self._beat)
        try:
            while True:
                self._moved.clear()
                await self._catch_up()
                if self._beat_due:
                    await self._heartbeat()
                    beat = loop.call_later(heartbeat_s, self._beat)
                await self._moved.wait()
        finally:
            beat.cancel()
            self._tail.listeners.discard(self._moved.set)

    def acknowledge(self, seq: int) -> None:
        """The client has dealt with everything up to `seq`, which may open its window."""
        self._chain.acknowledge(seq)
        self._moved.set()

    @property
    def _behind(self) -> bool:
        lost = self._generation != self._tail.generation
        return lost or (self._chain.cursor < self._tail.log.head and self._chain.credit)

    def allow(self, sources: frozenset[str]) -> None:
        """What the caller may see has changed; empty is everything."""
        self._wanted = replace(self._wanted, sources=sources or None)

    async def _catch_up(self) -> None:
        while self._behind:
            await self._step()
            if self._behind:
                await asyncio.sleep(0)

    async def _step(self) -> None:
        if self._generation != self._tail.generation:
            self._generation = self._tail.generation
            await self._start_again(self._tail.log, self._tail.lost)
        elif (frames := self._tail.after(self._chain.cursor, PAGE)) is None:
            await self._page()
        else:
            await self._deliver(frames)

    async def _page(self) -> None:
        """What memory does not hold, from the table, filtered there."""
        until = self._tail.log.head
        try:
            reading = await in_thread(selectors.read, self._chain.cursor, PAGE, self._wanted, until)
        except Error as error:
            logger.warning("a replay waits for the database", extra={"error": str(error)})
            await asyncio.sleep(RETRY_S)
            return
        if reading.log.epoch != self._tail.log.epoch:
            self._tail.wake()
            await asyncio.sleep(RETRY_S)
        elif reading.log.horizon > self._chain.cursor:
            await self._start_again(reading.log, BEFORE_RETENTION)
        elif await self._deliver(reading.frames) and len(reading.frames) < PAGE:
            self._chain.cursor = until

    async def _deliver(self, frames: list[Published]) -> bool:
        """Send those that match; False when the window closed before the end."""
        for frame in frames:
            if not self._chain.credit:
                return False
            if self._wanted.matches(frame):
                await self._send(self._chain.send(frame, now()))
            else:
                self._chain.cursor = frame.seq
        return True

    async def _start_again(self, log: Log, reason: str) -> None:
        self._chain.restart(log.head)
        await self._send(resync(log, reason))

    def _beat(self) -> None:
        self._beat_due = True
        self._moved.set()

    async def _heartbeat(self) -> None:
        self._beat_due = False
        log = self._tail.log
        await self._send(json.dumps({"type": "heartbeat", "epoch": log.epoch, "head_seq": log.head, "ts": iso(now())}))
