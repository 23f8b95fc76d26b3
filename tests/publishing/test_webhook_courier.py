"""The courier at work: real posts to real servers, each frame delivered, in order, whatever one destination or one process does."""

import asyncio
import contextlib
import json
import os
import signal as signals_of_the_system
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from aiohttp import web
from channels.db import database_sync_to_async as in_database
from django.db import connection
from django.db.models.functions import Now

from publishing.webhooks import services
from publishing.webhooks.courier import Courier
from publishing.webhooks.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks.sending import client
from publishing.webhooks.targets import Address
from signals.models import Pulse, Signal
from tests.publishing.receivers import LOOPBACK, Receiver, endpoint, receiver

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]

Publish = Callable[..., Signal]
ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def courier(**options: Any) -> AsyncIterator[Courier]:
    """One in this process."""
    async with client(LOOPBACK, **options) as through:
        made = Courier(through, tick_s=0.2)
        running = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            made.stop()
            await running


@contextmanager
def courier_process() -> Iterator[subprocess.Popen[bytes]]:
    """One as the launcher starts it, on this run's test database."""
    there = urlsplit(os.environ["DATABASE_URL"])._replace(path="/" + connection.settings_dict["NAME"])
    environ = {
        **os.environ,
        "DATABASE_URL": urlunsplit(there),
        "DJANGO_SETTINGS_MODULE": "lens_project.settings.test",
        "LENS_WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8",
    }
    started = subprocess.Popen([sys.executable, "-m", "manage", "deliver_webhooks"], cwd=ROOT, env=environ)
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.kill()
        started.wait(timeout=10)


async def settled(count: int, within: float = 20) -> list[WebhookDelivery]:
    """So many deliveries that came to their end."""
    ends = time.monotonic() + within
    while True:
        found = await in_database(lambda: list(WebhookDelivery.objects.filter(ended_at__isnull=False).order_by("seq")))()
        if len(found) >= count:
            return found
        assert time.monotonic() < ends, f"{len(found)} of {count}"
        await asyncio.sleep(0.05)


async def complaint(within: float = 10) -> str:
    """What the one endpoint says of its last attempt, once that has failed."""
    ends = time.monotonic() + within
    while not (said := (await in_database(WebhookEndpoint.objects.get)()).last_error):
        assert time.monotonic() < ends
        await asyncio.sleep(0.05)
    return said


async def test_frames_arrive_signed_chained_and_in_order(publish: Publish) -> None:
    async with receiver() as there:
        _, secret = await in_database(endpoint)(there.url)
        async with courier():
            for _ in range(20):
                await in_database(publish)()
            await there.until(20)
            await settled(20)
        frames = there.verified(secret)
        assert [frame["seq"] for frame in frames] == list(range(1, 21))
        assert [frame["prev_seq"] for frame in frames] == list(range(20))
        assert len(set(there.ids)) == 20
    assert await in_database(Pulse.objects.filter(name="webhooks").exists)()


async def test_a_hanging_destination_delays_nobody_else(publish: Publish) -> None:
    let_go = asyncio.Event()

    async def hang(_: Receiver, __: web.Request) -> web.StreamResponse:
        await let_go.wait()
        return web.Response(status=204)

    async with receiver() as slow, receiver() as quick:
        slow.reply = hang
        for _ in range(5):
            await in_database(endpoint)(slow.url)
        await in_database(endpoint)(quick.url)
        async with courier():
            for _ in range(12):
                await in_database(publish)()
            await quick.until(12, within=10)
            await slow.until(5)
            assert len(slow.calls) == 5
            let_go.set()
            await settled(72)
        assert sorted(frame["seq"] for frame in slow.frames) == sorted([*range(1, 13)] * 5)


async def test_no_more_side_by_side_than_the_endpoint_allows(publish: Publish) -> None:
    let_go = asyncio.Event()

    async def hang(_: Receiver, __: web.Request) -> web.StreamResponse:
        await let_go.wait()
        return web.Response(status=204)

    async with receiver() as there:
        there.reply = hang
        await in_database(endpoint)(there.url, max_in_flight=3)
        for _ in range(10):
            await in_database(publish)()
        async with courier():
            await there.until(3)
            with pytest.raises(TimeoutError):
                await there.until(4, within=0.5)
            let_go.set()
            await settled(10)
        assert sorted(frame["seq"] for frame in there.frames) == list(range(1, 11))


async def test_what_failed_steps_aside_and_comes_again_under_its_id(publish: Publish) -> None:
    async def second_fails_once(here: Receiver, _: web.Request) -> web.StreamResponse:
        return web.Response(status=500 if len(here.calls) == 2 else 200)

    async with receiver() as there:
        there.reply = second_fails_once
        await in_database(endpoint)(there.url)
        for _ in range(4):
            await in_database(publish)()
        async with courier():
            await settled(3)
            assert [frame["seq"] for frame in there.frames] == [1, 2, 3, 4]
            await in_database(WebhookDelivery.objects.filter(state="pending").update)(next_attempt_at=Now())
            done = await settled(4)
        assert there.frames[4]["seq"] == 2
        assert there.ids[4] == there.ids[1]
        assert [one.attempts for one in done] == [1, 2, 1, 1]


async def test_a_pause_is_noticed_and_a_resume_goes_on(publish: Publish) -> None:
    async with receiver() as there:
        made, _ = await in_database(endpoint)(there.url)
        async with courier():
            await in_database(publish)()
            await there.until(1)
            await in_database(services.pause)(made, "ann")
            for _ in range(3):
                await in_database(publish)()
            await asyncio.sleep(0.5)
            assert len(there.calls) == 1
            await in_database(services.resume)(made)
            await there.until(4)
        assert [frame["prev_seq"] for frame in there.frames] == [0, 1, 2, 3]


async def test_killed_while_it_sends_the_next_courier_sends_again_under_the_same_id(publish: Publish) -> None:
    async def never_answer_the_first(here: Receiver, _: web.Request) -> web.StreamResponse:
        if len(here.calls) == 1:
            await asyncio.sleep(30)
        return web.Response(status=204)

    async with receiver() as there:
        there.reply = never_answer_the_first
        _, secret = await in_database(endpoint)(there.url)
        for _ in range(3):
            await in_database(publish)()
        with courier_process() as first:
            await there.until(1)
            first.kill()
        with courier_process() as second:
            done = await settled(3, within=40)
            second.send_signal(signals_of_the_system.SIGTERM)
            assert await asyncio.to_thread(second.wait, 20) == 0
        assert [frame["seq"] for frame in there.verified(secret)] == [1, 1, 2, 3]
        assert there.ids[0] == there.ids[1]
        assert [one.attempts for one in done] == [1, 1, 1]
    released = await in_database(WebhookEndpoint.objects.filter(held_by__isnull=True).count)()
    assert released == 1


async def test_two_couriers_share_endpoints_and_send_nothing_twice(publish: Publish) -> None:
    async with receiver() as one, receiver() as other, courier(), courier():
        await in_database(endpoint)(one.url)
        await in_database(endpoint)(other.url)
        for _ in range(12):
            await in_database(publish)()
        await settled(24)
        for there in (one, other):
            assert [frame["seq"] for frame in there.frames] == list(range(1, 13))


async def test_a_stop_lets_the_post_under_way_end(publish: Publish) -> None:
    began, let_go = asyncio.Event(), asyncio.Event()

    async def slowly(_: Receiver, __: web.Request) -> web.StreamResponse:
        began.set()
        await let_go.wait()
        return web.Response(status=204)

    async with receiver() as there:
        there.reply = slowly
        await in_database(endpoint)(there.url)
        for _ in range(2):
            await in_database(publish)()
        async with courier() as working:
            await began.wait()
            working.stop()
            let_go.set()
        states = await in_database(lambda: list(WebhookDelivery.objects.order_by("seq").values_list("state", flat=True)))()
        assert states == ["delivered", "pending"]


async def test_a_secret_that_cannot_be_derived_is_a_failure_people_can_read(publish: Publish) -> None:
    async with receiver() as there:
        made, _ = await in_database(endpoint)(there.url)
        await in_database(WebhookEndpoint.objects.filter(pk=made.pk).update)(fingerprint="0" * 64)
        await in_database(publish)()
        async with courier():
            said = await complaint()
        assert said.startswith("secret_lost: ")
        assert there.calls == []


async def test_a_fault_of_our_own_is_a_failed_attempt_that_waits_like_others(
    publish: Publish, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def breaks(host: str, _: int) -> list[Address]:
        asked.append(host)
        raise RuntimeError("odd \0 answer")

    await in_database(endpoint)("http://exec.invalid/")
    await in_database(publish)()
    async with courier(find=breaks):
        said = await complaint()
        await asyncio.sleep(1)
    owed = await in_database(WebhookDelivery.objects.get)()
    assert said == r"internal_error: RuntimeError('odd \x00 answer')"
    assert (owed.state, owed.attempts, owed.history[0]["code"], len(asked)) == ("pending", 1, "internal_error", 1)
    assert [record.exc_info is not None for record in caplog.records if record.message == "an attempt broke"] == [True]


async def test_a_test_post_is_signed_and_stores_nothing(settings: Any) -> None:
    settings.LENS = settings.LENS.model_copy(update={"webhook_allow_private": LOOPBACK})
    async with receiver() as there:
        made, secret = await in_database(endpoint)(there.url)
        answer = await asyncio.to_thread(services.try_out, made)
        (body,) = there.verified(secret)
        assert (answer.status, body["type"]) == (204, "test")
        assert json.loads(there.calls[0][1])["endpoint"] == made.name
    assert await in_database(WebhookDelivery.objects.count)() == 0
