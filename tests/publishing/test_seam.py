"""Backlog and live, joined: whoever subscribes at whatever instant, from wherever, under load, hears an unbroken run."""

import asyncio
import json
import random
import threading
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

BEFORE, CLIENTS, TURNS = 300, 8, 5
# How far back a subscription begins at most, and how many frames beyond the seam it reads.
BACK, BEYOND = 200, 25
AT_ONCE, PAUSE_S = 5, 0.01
PATIENCE_S = 240


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
    back = max(head - BACK, 0)
    since = chance.choice([None, back, chance.randrange(back, head + 1), max(head - 5, 0)])
    said = {"op": "subscribe", "id": number, **({} if since is None else {"since": {"seq": since}})}
    await opened.send(json.dumps(said))
    while (answer := await hear(opened)).get("id") != number:
        assert answer["type"] == "decision"
    last = answer["head_seq"] if since is None else since
    goal = max(answer["head_seq"], last) + BEYOND
    while last < goal:
        frame = await hear(opened)
        assert (frame["prev_seq"], frame["seq"]) == (last, last + 1)
        assert frame["snapshot"] is (frame["seq"] <= answer["head_seq"])
        last = frame["seq"]
    return last


async def client(place: Server, text: str, chance: random.Random, begin: asyncio.Barrier) -> None:
    head = 0
    async with connect(place.url, additional_headers={"X-API-Key": text}, open_timeout=60) as opened:
        await hear(opened)
        await begin.wait()
        for number in range(TURNS):
            await asyncio.sleep(chance.uniform(0, 0.3))
            head = max(head, await turn(opened, chance, number, head))


def publish(over: threading.Event) -> None:
    """Until it is over, so that there always is a present to join."""
    try:
        while not over.wait(PAUSE_S):
            append(AT_ONCE)
    finally:
        connection.close()


async def test_every_run_is_unbroken(place: Server) -> None:
    text = await database_sync_to_async(key)()
    await database_sync_to_async(append)(BEFORE)
    over, begin = threading.Event(), asyncio.Barrier(CLIENTS + 1)
    clients = [asyncio.create_task(client(place, text, random.Random(seed), begin)) for seed in range(CLIENTS)]
    async with asyncio.timeout(PATIENCE_S):
        await begin.wait()
        publishing = asyncio.create_task(asyncio.to_thread(publish, over))
        try:
            await asyncio.gather(*clients)
        finally:
            over.set()
        await publishing
