"""Clients that do not read, and clients that only talk: they cost a bounded amount of memory, are shown out, and delay nobody."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
import pytest_asyncio
from channels.db import database_sync_to_async

from bench.crowd import Crowd, Member
from bench.meter import cost
from console.load import quantile
from tests.publishing.conftest import append, key
from tests.publishing.daphnes import Server, server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]

CROWD, LAZY, BACKLOG, LIVE = 497, 3, 1_000, 20
GROWTH_MB = 25
SLOW, TOO_BIG = 4410, 1009


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Server]:
    """Shows out after a second."""
    with server(LENS_WS_PATIENCE_S="1", PROMETHEUS_MULTIPROC_DIR=str(tmp_path)) as started:
        yield started


@pytest_asyncio.fixture
async def text() -> str:
    return await database_sync_to_async(key)()


@pytest_asyncio.fixture
async def crowd() -> AsyncIterator[Crowd]:
    gathered = Crowd()
    yield gathered
    gathered.leave()
    await asyncio.sleep(0)


async def lazy(place: Server, crowd: Crowd, text: str, **subscription: object) -> tuple[Member, list[bytes]]:
    """A client with a small buffer that subscribes and then does not read."""
    there = urlsplit(place.url)
    assert there.hostname
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(narrow, (there.hostname, there.port))
    heard: list[bytes] = []
    _, member = await loop.create_connection(lambda: Member(text, there.netloc, lambda _, frame: heard.append(frame)), sock=narrow)
    crowd.members.append(member)
    await member.welcomed
    member.say(op="subscribe", **subscription)
    await member.subscribed
    member.transport.pause_reading()
    return member, heard


async def waits(crowd: Crowd) -> float:
    """Publish a few frames; how long the slowest percent of the crowd waited for them."""
    crowd.forget()
    for _ in range(LIVE):
        await database_sync_to_async(append)(1)
    assert await crowd.heard(LIVE * CROWD, 60)
    return quantile(sorted(crowd.waits), 0.99)


async def test_three_of_five_hundred_that_do_not_read_are_shown_out_and_nobody_waits_for_them(
    impatient: Server, crowd: Crowd, text: str
) -> None:
    await database_sync_to_async(append)(BACKLOG)
    await crowd.grow(impatient.url, text, CROWD)
    quiet = await waits(crowd)
    before = cost(impatient.process.pid).pss_mb
    idlers = [await lazy(impatient, crowd, text, since={"seq": 0}) for _ in range(LAZY)]
    beside = await waits(crowd)
    async with asyncio.timeout(30):
        await shown_out(impatient, LAZY)
        assert cost(impatient.process.pid).pss_mb - before < GROWTH_MB
        for member, _ in idlers:
            member.transport.resume_reading()
            assert await member.closed == SLOW
    assert beside < 2 * quiet + 2
    member, heard = idlers[0]
    position = max(int(frame.split(b'"seq":')[1].split(b",")[0]) for frame in heard if b'"seq":' in frame)
    assert 0 < position < BACKLOG
    crowd.forget()
    await crowd.grow(impatient.url, text, len(crowd.members) + 1, since={"seq": position})
    assert await crowd.heard(BACKLOG + 2 * LIVE - position, 30)


async def shown_out(place: Server, number: int) -> None:
    """When the server's own count says so."""
    while f"lens_ws_slow_closed_total {number:.1f}" not in await asyncio.to_thread(metrics, place):
        await asyncio.sleep(0.1)


def metrics(place: Server) -> str:
    return httpx2.get(f"{place.http}/metrics", headers={"Host": "localhost"}).text


async def test_a_client_that_talks_and_never_listens_is_not_listened_to_for_long(
    impatient: Server, crowd: Crowd, text: str
) -> None:
    talker, _ = await lazy(impatient, crowd, text)
    before = cost(impatient.process.pid).pss_mb
    async with asyncio.timeout(60):
        while not talker.transport.is_closing() and talker.transport.get_write_buffer_size() < 4_000_000:
            for _ in range(1_000):
                talker.say(op="ping", id="x" * 60)
            await asyncio.sleep(0)
        await shown_out(impatient, 1)
        assert cost(impatient.process.pid).pss_mb - before < GROWTH_MB
        talker.transport.resume_reading()
        assert await talker.closed == SLOW


async def test_a_message_above_the_limit_is_told_so_by_the_real_server(impatient: Server, crowd: Crowd, text: str) -> None:
    member, _ = await lazy(impatient, crowd, text)
    member.transport.resume_reading()
    member.say(op="ping", id="x" * 16_384)
    async with asyncio.timeout(10):
        assert await member.closed == TOO_BIG
