"""The courier: one process, one lane per endpoint, so that a slow or dead destination delays nobody but itself.

doorbell or tick ──▶ hold(): which endpoints are mine and have something to do ──▶ wake their lanes
lane ──▶ load(): cursor on, what is due ──▶ post, at most `max_in_flight` side by side ──▶ delivered │ owed again │ given up

It asks the rows and remembers nothing: killed at any point, the next one goes on from what they say.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator
from uuid import UUID

import httpx2
from django.conf import settings
from django.db import Error

from core.clock import now
from core.crashpoints import crashpoint
from core.errors import LensError, Permanent, Transient
from core.ids import uuid7
from publishing import stream
from publishing.tail import in_thread
from publishing.webhooks import deliveries, outcomes, sending
from publishing.webhooks.deliveries import Load
from publishing.webhooks.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks.signing import sign
from signals.sweep import beat

logger = logging.getLogger(__name__)

PULSE = "webhooks"
TICK_S, PULSE_EVERY_S = 1.0, 5.0
# Rings that come together are answered together.
APART_S = 0.05
RETRY_S = 1.0
# Between looks at the endpoint's row: how long a pause or a rest may go unnoticed while all goes well.
LONGEST_LOAD_S = 2.0
# A post under way may end well; what is cut off would be sent a second time.
FAREWELL_S = sending.DEADLINE_S + 1


class Courier:
    """Serves until told to stop."""

    def __init__(self, through: httpx2.AsyncClient, *, tick_s: float = TICK_S) -> None:
        self.id: UUID = uuid7()
        self._through = through
        self._tick_s = tick_s
        self._woken = asyncio.Event()
        self._stopped = asyncio.Event()
        self._pulse_due = 0.0
        self._lanes: dict[UUID, asyncio.Task[None]] = {}

    def stop(self) -> None:
        """Begin nothing new; `run` returns when the posts under way have ended."""
        self._stopped.set()
        self._woken.set()

    async def run(self) -> None:
        """Hold endpoints and serve them. A database that does not answer costs time, nothing else."""
        listening = asyncio.create_task(stream.listen(self._woken.set))
        try:
            while not self._stopped.is_set():
                self._woken.clear()
                held = await self._look()
                await _doze(self._stopped, APART_S)
                # Without an endpoint the doorbell means nothing here.
                await _doze(self._woken if held else self._stopped, self._tick_s)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await self._leave()

    async def _look(self) -> bool:
        """Start the lanes that have something to do; whether any endpoint is held."""
        try:
            await self._beat()
            held = await in_thread(deliveries.hold, self.id)
        except Error as error:
            logger.warning("webhooks wait for the database", extra={"error": str(error)})
            return False
        for endpoint, busy in held.items():
            if busy and endpoint not in self._lanes:
                lane = asyncio.create_task(self._serve(endpoint), name=str(endpoint))
                self._lanes[endpoint] = lane
                lane.add_done_callback(self._lane_ended)

        return bool(held)

    async def _beat(self) -> None:
        if time.monotonic() >= self._pulse_due:
            await in_thread(beat, PULSE, lanes=len(self._lanes))
            self._pulse_due = time.monotonic() + PULSE_EVERY_S

    def _lane_ended(self, lane: asyncio.Task[None]) -> None:
        del self._lanes[UUID(lane.get_name())]
        if not lane.cancelled() and lane.exception() is not None:
            logger.critical("a lane broke; the next look starts it again", exc_info=lane.exception())

    async def _serve(self, endpoint: UUID) -> None:
        """Until nothing is due any more."""
        try:
            while not self._stopped.is_set() and (load := await in_thread(deliveries.load, self.id, endpoint)) and load.due:
                waiting = iter(load.due)
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(load.endpoint.max_in_flight, len(load.due))):
                        group.create_task(self._work_off(load, waiting))
        except* Error as errors:
            logger.warning("a lane waits for the database", extra={"error": str(errors.exceptions[0])})
            await asyncio.sleep(RETRY_S)

    async def _work_off(self, load: Load, waiting: Iterator[WebhookDelivery]) -> None:
        ends = time.monotonic() + LONGEST_LOAD_S
        while time.monotonic() < ends and not self._stopped.is_set() and (delivery := next(waiting, None)):
            if not await self._send(load.endpoint, delivery):
                return

    async def _send(self, endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> bool:
        """Whether the next of the load may follow: after a failure the rows are asked again, for the endpoint may want a rest."""
        (ended,) = await asyncio.gather(self._post(endpoint, delivery), return_exceptions=True)
        if isinstance(ended, BaseException):
            await in_thread(outcomes.failed, delivery, _as_failure(ended))
            return False
        crashpoint("webhook.sent")
        await in_thread(outcomes.delivered, delivery, ended)
        return True

    async def _post(self, endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> sending.Answer:
        body = await in_thread(deliveries.text, delivery)
        if body is None:
            raise Permanent("frame_gone", "Retention took the frame before it could be delivered.")
        headers = sign(endpoint, delivery.message_id, body, now())
        return await sending.post(self._through, endpoint.url, headers, body)

    async def _leave(self) -> None:
        if self._lanes:
            await asyncio.wait(self._lanes.values(), timeout=FAREWELL_S)
        with contextlib.suppress(Error):
            await in_thread(deliveries.release, self.id)


def _as_failure(error: BaseException) -> LensError:
    """What an attempt met. A bug is a failure like others, spaced by the schedule: a lane that broke would be begun again at once.

    What is not about this delivery is raised: the database is away, the process ends.
    """
    if isinstance(error, LensError):
        return error
    if isinstance(error, Error) or not isinstance(error, Exception):
        raise error
    logger.error("an attempt broke", exc_info=error)
    # repr: what a destination sent may be in it, and PostgreSQL keeps no NUL.
    return Transient("internal_error", repr(error)[:200])


async def _doze(until: asyncio.Event, longest_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest_s):
            await until.wait()


async def serve(stopped: asyncio.Event) -> None:
    """Run a courier until `stopped`."""
    async with sending.client(settings.LENS.webhook_allow_private) as through:
        courier = Courier(through)
        running = asyncio.create_task(courier.run())
        waiting = asyncio.create_task(stopped.wait())
        await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
        courier.stop()
        waiting.cancel()
        await running
