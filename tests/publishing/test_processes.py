"""Two real socket servers over one database and one Redis: every client puts the whole stream together, whatever happens."""

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import connection
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from signals.models import Signal
from tests.described import checked
from tests.publishing.conftest import key
from tests.publishing.daphnes import Server, server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]

PUBLISHERS, EACH, WANDERERS = 4, 75, 8
TOTAL = PUBLISHERS * EACH
WITHIN_S = 60

Publish = Callable[..., Signal]


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    with ExitStack() as stack:
        yield [stack.enter_context(server()) for _ in range(2)]


async def hear(opened: ClientConnection, kind: str | None = None) -> dict[str, Any]:
    """The next frame, or the next of a kind."""
    while True:
        frame = checked(json.loads(await opened.recv()))
        if kind in (None, frame["type"]):
            return frame


class Client:
    """Keeps the last seq it saw, as an executor does, and everything it was sent."""

    def __init__(self, servers: list[Server], text: str, chance: random.Random) -> None:
        self.servers, self.headers, self.chance = servers, {"X-API-Key": text}, chance
        self.seen: list[int] = []

    @property
    def last(self) -> int:
        return self.seen[-1] if self.seen else 0

    async def wander(self) -> None:
        """Connect anywhere, read for a moment, hang up without a word; until everything was seen."""
        while len(self.seen) < TOTAL:
            url = self.chance.choice(self.servers).url
            async with connect(url, additional_headers=self.headers, open_timeout=30) as opened:
                await self.subscribe(opened)
                await self.read(opened, self.chance.uniform(0.0, 0.4))
                opened.transport.abort()

    async def stay(self, server: Server, ready: asyncio.Event) -> int:
        """Remain to the end; the close code."""
        async with connect(server.url, additional_headers=self.headers, open_timeout=30) as opened:
            await self.subscribe(opened)
            ready.set()
            await self.read(opened, WITHIN_S)
            return opened.close_code or 0

    async def subscribe(self, opened: ClientConnection) -> None:
        await opened.send(json.dumps({"op": "subscribe", "since": {"seq": self.last}}))
        assert (await hear(opened, "subscribed"))["recovered"] is True

    async def read(self, opened: ClientConnection, for_s: float) -> None:
        try:
            async with asyncio.timeout(for_s):
                while True:
                    frame = await hear(opened, "decision")
                    assert frame["prev_seq"] == self.last
                    self.seen.append(frame["seq"])
        except (TimeoutError, ConnectionClosed):
            return


async def published(publish: Publish) -> None:
    """All the frames, from several threads at an uneven pace."""

    def some() -> None:
        try:
            for _ in range(EACH):
                publish()
        finally:
            connection.close()

    with ThreadPoolExecutor(PUBLISHERS) as pool:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(pool, some) for _ in range(PUBLISHERS)))


async def test_clients_that_come_and_go_see_each_frame_once_and_those_that_stay_hear_the_end(
    servers: list[Server], publish: Publish
) -> None:
    text = await database_sync_to_async(key)()
    clients = [Client(servers, text, random.Random(seed)) for seed in range(WANDERERS)]
    residents = [Client(servers, text, random.Random()) for _ in servers]
    ready = [asyncio.Event() for _ in servers]
    staying = [asyncio.create_task(one.stay(place, event)) for one, place, event in zip(residents, servers, ready, strict=True)]
    async with asyncio.timeout(WITHIN_S):
        await asyncio.gather(*(event.wait() for event in ready))
        await asyncio.gather(published(publish), *(client.wander() for client in clients))
        while any(len(one.seen) < TOTAL for one in residents):
            await asyncio.sleep(0.05)
    for client in (*clients, *residents):
        assert client.seen == list(range(1, TOTAL + 1))
    for one in servers:
        await asyncio.to_thread(one.stop)
    assert await asyncio.gather(*staying) == [1012, 1012]


async def test_a_database_that_drops_every_connection_costs_no_frame(servers: list[Server], publish: Publish) -> None:
    in_database = database_sync_to_async
    headers = {"X-API-Key": await in_database(key)()}
    async with asyncio.timeout(WITHIN_S), connect(servers[0].url, additional_headers=headers, open_timeout=30) as opened:
        await opened.send(json.dumps({"op": "subscribe"}))
        await hear(opened, "subscribed")
        for expected in (1, 2, 3):
            await in_database(publish)()
            assert (await hear(opened, "decision"))["seq"] == expected
            await in_database(cut_every_other_connection)()


def cut_every_other_connection() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
