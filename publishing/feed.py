"""One subscription being served: from its cursor through the table into memory and on, then live. There is no seam to cross.

A feed holds a cursor, never a queue: while it may not send, it does not read. At the head, with nothing in the way, it is a plain
call from the tail that renders and pushes; whatever does not fit there is its task's to do: replays, slow clients, lost positions.
"""

import asyncio
import logging
from dataclasses import replace

from django.db import Error

from core.clock import iso, now
from publishing import selectors
from publishing.frames import Published
from publishing.messages import Heartbeat, Resync
from publishing.outlet import Outlet
from publishing.subscriptions import BEFORE_RETENTION, Chain, Filter, Log, Lost
from publishing.tail import RETRY_S, Tail, in_thread

logger = logging.getLogger(__name__)

# Between pages other sockets have their turn.
PAGE = 200
# More than this at once is the task's to send.
FEW = 20


def resync(log: Log, reason: Lost) -> str:
    """The frame that says: you missed something; here is where to read what is left."""
    return Resync(reason=reason, head_seq=log.head, rest=log.rest()).text()


class Feed:
    """Sends what matches, in order, and a heartbeat when there is nothing to send."""

    def __init__(self, tail: Tail, wanted: Filter, chain: Chain, outlet: Outlet) -> None:
        self._wanted = wanted
        self._chain = chain
        self._tail = tail
        self._outlet = outlet
        self._generation = tail.generation
        self._moved = asyncio.Event()
        self._idle = False
        self._beat_due = False

    async def run(self, heartbeat_s: float) -> None:
        """Serve until cancelled. Raises SlowReaderError."""
        self._tail.listeners.add(self._hear)
        self._beat_after(heartbeat_s)
        try:
            while True:
                self._moved.clear()
                await self._catch_up()
                if self._beat_due:
                    self._beat_due = False
                    await self._outlet.send(self._heartbeat())
                self._idle = True
                await self._moved.wait()
                self._idle = False
        finally:
            self._idle = False
            self._heart.cancel()
            self._tail.listeners.discard(self._hear)

    def acknowledge(self, seq: int) -> int:
        """The client has dealt with everything up to `seq`, which may open its window. How much of that there has been for it."""
        self._chain.acknowledge(seq)
        self._moved.set()
        return min(seq, self._chain.cursor)

    @property
    def _behind(self) -> bool:
        lost = self._generation != self._tail.generation
        return lost or (self._chain.cursor < self._tail.log.head and self._chain.credit)

    def allow(self, sources: frozenset[str]) -> None:
        """What the caller may see has changed; empty is everything."""
        self._wanted = replace(self._wanted, sources=sources or None)

    def _hear(self) -> None:
        """The tail has read on."""
        if not (self._idle and self._pushed()):
            self._moved.set()

    def _pushed(self) -> bool:
        """Whether everything could be sent there and then."""
        frames = None if self._generation != self._tail.generation else self._tail.after(self._chain.cursor, FEW)
        for frame in frames or ():
            if not self._chain.credit:
                return True
            if not self._wanted.matches(frame):
                self._chain.cursor = frame.seq
            elif self._outlet.push(self._chain.text(frame, now())):
                self._chain.join(frame)
            else:
                return False
        return frames is not None and not self._behind

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
                await self._outlet.send(self._chain.send(frame, now()))
            else:
                self._chain.cursor = frame.seq
        return True

    async def _start_again(self, log: Log, reason: Lost) -> None:
        self._chain.restart(log.head)
        await self._outlet.send(resync(log, reason))

    def _beat_after(self, heartbeat_s: float) -> None:
        self._heart = asyncio.get_running_loop().call_later(heartbeat_s, self._beat, heartbeat_s)

    def _beat(self, heartbeat_s: float) -> None:
        self._beat_after(heartbeat_s)
        if not (self._idle and self._outlet.push(self._heartbeat())):
            self._beat_due = True
            self._moved.set()

    def _heartbeat(self) -> str:
        log = self._tail.log
        return Heartbeat(epoch=log.epoch, head_seq=log.head, ts=iso(now())).text()
