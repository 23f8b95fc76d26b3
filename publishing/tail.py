"""One reader of the log for all sockets of a process.

wake-up or tick ──▶ SELECT … WHERE seq > head ──▶ memory ──▶ every subscription reads on from its own cursor

The log is gap-free, so memory is a plain run of frames and a cursor is an index into it. What memory no longer holds is read from
the table; nothing is queued for anybody.
"""

import asyncio
import functools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import Error, close_old_connections

from core import telemetry
from publishing import selectors
from publishing.frames import Published
from publishing.subscriptions import BEFORE_RETENTION, EPOCH_CHANGED, Log, Lost

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

PAGE = 500
KEPT = 2_000
TICK_S = 1.0
BREATH = 50
RETRY_S = 1.0

# Sockets share these few threads, so a crowd that replays cannot take the database's connections; the tail and the watch over keys
# have their own, so that they never wait behind the crowd.
_sockets = ThreadPoolExecutor(max_workers=4, thread_name_prefix="stream")
_tails = ThreadPoolExecutor(max_workers=2, thread_name_prefix="tail")


async def in_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run blocking database work for a socket off the event loop."""
    return await _apart(_sockets, functools.partial(work, *args, **kwargs))


async def ahead_of_sockets(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The same for what is done once for all sockets of the process, however many of them wait for a thread."""
    return await _apart(_tails, functools.partial(work, *args, **kwargs))


async def _apart(threads: ThreadPoolExecutor, work: Callable[[], R]) -> R:
    return await asyncio.get_running_loop().run_in_executor(threads, _cleanly, work)


def _cleanly(work: Callable[[], R]) -> R:
    """As a request would: no connection is held between two pieces of work, and a broken one is not met again."""
    try:
        return work()
    finally:
        close_old_connections()


class Tail:
    """The newest frames of the log. `generation` grows when the log lost its identity or this reader its place."""

    def __init__(self, tick_s: float = TICK_S) -> None:
        self.log = Log("", 0, 0)
        self.generation = 0
        self.lost: Lost = EPOCH_CHANGED
        self.ready = asyncio.Event()
        self.listeners: set[Callable[[], None]] = set()
        self._tick_s = tick_s
        self._woken = asyncio.Event()
        self._frames: list[Published] = []
        self._dozed = False

    def wake(self) -> None:
        """Read now rather than at the next tick."""
        self._woken.set()

    async def run(self) -> None:
        """Follow the log for ever. A database that does not answer costs time, never the place in the log."""
        while True:
            rung = self._woken.is_set()
            self._woken.clear()
            head = self.log.head
            try:
                full = await self._read_on()
            except Error as error:
                logger.warning("the log cannot be read; trying again", extra={"error": str(error)})
                await asyncio.sleep(RETRY_S)
                continue
            if self._dozed and not rung and self.log.head > head:
                telemetry.wakeups_lost.labels(seen_by="reader").inc()
            telemetry.stream_head.set(self.log.head)
            self._dozed = not full
            if self._dozed:
                await self._doze()

    def after(self, cursor: int, limit: int) -> list[Published] | None:
        """The frames that follow `cursor`, from memory; None when they must be read from the table."""
        if not self._frames:
            return [] if cursor >= self.log.head else None
        start = cursor + 1 - self._frames[0].seq
        return self._frames[start : start + limit] if start >= 0 else None

    async def _doze(self) -> None:
        try:
            async with asyncio.timeout(self._tick_s):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _read_on(self) -> bool:
        """Read one page; True when there may be another."""
        if not self.ready.is_set():
            self.log = await ahead_of_sockets(selectors.log)
            self.ready.set()
        reading = await ahead_of_sockets(selectors.read, self.log.head, PAGE)
        if lost := self._lost(reading.log):
            self._start_again(reading.log, lost)
        elif reading.frames:
            self._remember(reading.frames)
        else:
            return False
        await self._tell()
        return len(reading.frames) == PAGE

    async def _tell(self) -> None:
        """Everybody, with a breath in between: what else waits in this process must not wait for a thousand sockets."""
        for number, listener in enumerate(tuple(self.listeners), 1):
            listener()
            if number % BREATH == 0:
                await asyncio.sleep(0)

    def _lost(self, log: Log) -> Lost | None:
        if log.epoch != self.log.epoch or log.head < self.log.head:
            return EPOCH_CHANGED
        return BEFORE_RETENTION if log.horizon > self.log.head else None

    def _start_again(self, log: Log, lost: Lost) -> None:
        logger.warning("the log was lost and is followed anew", extra={"reason": lost, "epoch": log.epoch, "head": log.head})
        self.log, self.lost = log, lost
        self.generation += 1
        self._frames.clear()

    def _remember(self, frames: list[Published]) -> None:
        self._frames += frames
        if len(self._frames) > 2 * KEPT:
            del self._frames[:-KEPT]
        self.log = Log(self.log.epoch, frames[-1].seq, self.log.horizon)
