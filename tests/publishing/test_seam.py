"""Backlog and live, joined: whoever subscribes at whatever instant, from wherever, under load, hears an unbroken run."""

import asyncio
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import connection
from websockets.asyncio.client import ClientConnection, connect

from tests.described import checked
from tests.publishing.conftest import append, key
from tests.publishing.daphnes import Server, server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]

BEFORE, DURING, CLIENTS, TURNS = 300, 1_500, 8, 6
BEYOND = 25


@pytest.fixture
def place() -> Iterator[Server]:
    with server() as started:
        yield started


async def hear(opened: ClientConnection) -> dict[str, Any]:
    while True:
        frame = checked(json.loads(await opened.recv()))
        if frame["type"] != "heartbeat":
            return frame


async def turn(opened: ClientConnection, chance: random.Random, number: int, head: int) -> int:
    """Subscribe anew on the same socket, from somewhere or from now; read on past the seam. The last seq."""
    since = chance.choice([None, 0, chance.randrange(max(head, 1)), max(head - 5, 0)])
    said = {"op": "subscribe", "id": number, **({} if since is None else {"since": {"seq": since}})}
    await opened.send(json.dumps(said))
    while (answer := await hear(opened)).get("id") != number:
        assert answer["type"] == "decision"
    last = answer["head_seq"] if since is None else since
    goal = min(max(answer["head_seq"], last) + BEYOND, BEFORE + DURING)
    while last < goal:
        frame = await hear(opened)
        assert (frame["prev_seq"], frame["seq"]) == (last, last + 1)
        assert frame["snapshot"] is (frame["seq"] <= answer["head_seq"])
        last = frame["seq"]
    return last


async def client(place: Server, text: str, chance: random.Random) -> None:
    head = 0
    async with connect(place.url, additional_headers={"X-API-Key": text}, open_timeout=30) as opened:
        await hear(opened)
        for number in range(TURNS):
            await asyncio.sleep(chance.uniform(0, 0.3))
            head = max(head, await turn(opened, chance, number, head))


async def test_every_run_is_unbroken(place: Server) -> None:
    text = await database_sync_to_async(key)()
    await database_sync_to_async(append)(BEFORE)

    def publish() -> None:
        try:
            append(DURING)
        finally:
            connection.close()

    async with asyncio.timeout(120):
        publishing = asyncio.create_task(asyncio.to_thread(publish))
        await asyncio.gather(*(client(place, text, random.Random(seed)) for seed in range(CLIENTS)))
        await publishing
