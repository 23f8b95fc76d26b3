"""What a caller who was let in may do on its socket: one subscription at a time, acknowledgements, receipts."""

import asyncio
from collections.abc import Callable

from django.conf import settings

from access.services import Caller
from publishing import positions, receipts, selectors
from publishing.feed import Feed, resync
from publishing.hub import Hub
from publishing.messages import Pong, Receipted, Subscribed
from publishing.operations import Ack, Auth, Operation, Ping, ReceiptGiven, RefusedError, Since, Subscribe, Unsubscribe
from publishing.outlet import Outlet
from publishing.positions import Reader
from publishing.subscriptions import Chain, Filter, Log
from publishing.tail import in_thread


class Session:
    """One welcomed socket. `broken` is called when its subscription ends by itself, which it should not."""

    def __init__(self, hub: Hub, caller: Caller, outlet: Outlet, broken: Callable[[BaseException | None], None]) -> None:
        self.caller = caller
        self._hub = hub
        self._outlet = outlet
        self._broken = broken
        self._feed: Feed | None = None
        self._feeding: asyncio.Task[None] | None = None
        self._reader: Reader | None = None
        self._over = False

    async def act(self, operation: Operation) -> None:
        """Raises RefusedError, SlowReaderError, and the database's errors."""
        match operation:
            case Auth():
                raise RefusedError("invalid_op", "who you are is known already")
            case Subscribe():
                await self._subscribe(operation)
            case Unsubscribe():
                await self.stop()
            case Ping(id=number):
                await self._outlet.send(Pong(id=number).text())
            case Ack(seq=seq):
                self._acknowledge(seq)
            case ReceiptGiven():
                await self._keep(operation)

    def allow(self, caller: Caller) -> None:
        """What the caller may see has changed."""
        self.caller = caller
        if self._feed is not None:
            self._feed.allow(caller.allowed_sources)

    async def stop(self) -> None:
        """End the subscription, if there is one, and keep its reader's place."""
        await self._cease()
        reader, self._reader = self._reader, None
        if reader is not None:
            await self._hub.places.keep(reader)

    async def hush(self) -> None:
        """Send no frame any more, also none of what is just about to start. Waits for nothing but the event loop."""
        self._over = True
        await self._cease()

    async def end(self) -> None:
        """Stop for good."""
        self._over = True
        await self.stop()

    async def _cease(self) -> None:
        feeding, self._feeding, self._feed = self._feeding, None, None
        if feeding is not None:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)

    async def _subscribe(self, asked: Subscribe) -> None:
        if asked.filter.model and (strangers := asked.filter.strangers(await in_thread(selectors.known_models))):
            raise RefusedError("invalid_filter", f"filter.model: no such model: {', '.join(strangers)}"[:200])
        reader = None if asked.consumer is None else (self.caller.id, asked.consumer)
        place = None if reader is None else await self._place(reader)
        kept = None if asked.since else place
        # From the table, not from memory: a client may know of a frame that the tail has yet to read.
        log = await in_thread(selectors.log)
        since = asked.since or kept
        lost = since and log.lost(since)
        start = log.head if since is None or lost else since.seq
        if reader is not None and place is None:
            # Kept before the client hears that it is: what comes from here on is owed to it, whatever ends this process.
            await in_thread(positions.keep, {reader: Since(seq=start, epoch=log.epoch)})
        await self.stop()
        self._reader = reader
        answer = Subscribed(id=asked.id, epoch=log.epoch, head_seq=log.head, recovered=not lost, since=kept)
        await self._outlet.send(answer.text())
        if lost:
            await self._outlet.send(resync(log, lost))
        if not self._over:
            self._serve(asked, log, start)

    def _serve(self, asked: Subscribe, log: Log, start: int) -> None:
        chain = Chain(start, snapshot_until=log.head, window=asked.window)
        self._feed = Feed(self._hub.tail, Filter.of(asked.filter, self.caller.allowed_sources), chain, self._outlet)
        self._feeding = asyncio.create_task(self._feed.run(settings.LENS.heartbeat_s))
        self._feeding.add_done_callback(self._ended)

    def _ended(self, feeding: asyncio.Task[None]) -> None:
        if not feeding.cancelled():
            self._broken(feeding.exception())

    async def _place(self, reader: Reader) -> Since | None:
        await self._hub.places.keep(reader)
        return await in_thread(positions.find, reader)

    def _acknowledge(self, seq: int) -> None:
        if self._feed is not None:
            self._mark(self._feed.acknowledge(seq))

    def _mark(self, seq: int) -> None:
        if self._reader is not None:
            self._hub.places.mark(self._reader, Since(seq=seq, epoch=self._hub.tail.log.epoch))

    async def _keep(self, given: ReceiptGiven) -> None:
        await in_thread(receipts.keep, self.caller, given)
        if given.id is not None:
            await self._outlet.send(Receipted(id=given.id, decision_id=given.decision_id, state=given.state).text())
