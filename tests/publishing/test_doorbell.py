"""The doorbell: heard across event loops through the real Redis, and never anybody's trouble when Redis is away."""

import asyncio
import os
import time
from collections.abc import Callable

import pytest
from django.conf import LazySettings

from core import telemetry
from publishing import stream
from publishing.stream import Doorbell, listen

WITHIN_S = 10.0


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it came true in time."""
    ends = time.monotonic() + WITHIN_S
    while not condition() and time.monotonic() < ends:
        time.sleep(0.01)
    return condition()


@pytest.mark.asyncio
async def test_a_ring_is_heard_by_everyone_who_listens() -> None:
    heard = [asyncio.Event(), asyncio.Event()]
    listening = [asyncio.create_task(listen(event.set)) for event in heard]
    async with asyncio.timeout(WITHIN_S):
        while not all(event.is_set() for event in heard):
            stream.ring(7)
            await asyncio.sleep(0.05)
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    assert all(task.cancelled() for task in listening)


def test_without_redis_ringing_neither_waits_nor_raises(settings: LazySettings) -> None:
    layer = settings.CHANNEL_LAYERS["default"]
    settings.CHANNEL_LAYERS = {"default": {**layer, "CONFIG": {"hosts": ["redis://127.0.0.1:1/1"]}}}
    bell = Doorbell()
    began = time.monotonic()
    for head in range(1_000):
        bell.ring(head)
    assert time.monotonic() - began < 5
    assert eventually(lambda: bell.lost > 0)
    assert eventually(lambda: telemetry.wakeups_lost.labels(seen_by="sender")._value.get() >= bell.lost)
    assert bell.head == 999


def test_a_forked_child_has_a_doorbell_of_its_own() -> None:
    stream.ring(1)
    child = os.fork()
    if child == 0:
        os._exit(len(stream._bells))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(stream._bells) == 1
