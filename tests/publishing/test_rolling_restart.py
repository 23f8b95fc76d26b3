"""Both socket processes restarted one after the other under two hundred clients: told when to come back, and nothing is lost."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.described import checked
from tests.stack import Lens, running

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

CLIENTS, FRAMES, RATE, SIGNALS = 200, 300, 20, 5
WITHIN_S = 120
ROOT = Path(__file__).resolve().parents[2]
ADVICE = re.compile(r"restart; reconnect_ms=(\d+)")


class Executor:
    """Keeps its last seq and does as it is told."""

    def __init__(self, lens: Lens, number: int) -> None:
        self.url = lens.facts["ws"][number % 2] + "/ws/decisions"
        self.headers = {"X-API-Key": lens.facts["api_key"]}
        self.seen: list[int] = []
        self.advised: list[int] = []
        self.ready = asyncio.Event()

    async def run(self) -> None:
        while True:
            try:
                async with connect(self.url, additional_headers=self.headers, open_timeout=30) as opened:
                    await opened.send(json.dumps({"op": "subscribe", "since": {"seq": self.seen[-1] if self.seen else 0}}))
                    async for text in opened:
                        self.hear(checked(json.loads(text)) if not self.seen else json.loads(text))
            except (OSError, InvalidHandshake, ConnectionClosed) as error:
                await asyncio.sleep(self.pause(error))

    def hear(self, frame: dict[str, object]) -> None:
        if frame["type"] == "subscribed":
            assert frame["recovered"] is True
            self.ready.set()
        elif "prev_seq" in frame:
            assert frame["prev_seq"] == (self.seen[-1] if self.seen else 0)
            self.seen.append(int(str(frame["seq"])))

    def pause(self, error: Exception) -> float:
        """As advised; else half a second."""
        told = ADVICE.fullmatch(error.rcvd.reason) if isinstance(error, ConnectionClosed) and error.rcvd else None
        if told is None:
            return 0.5
        self.advised.append(int(told[1]))
        return int(told[1]) / 1000


async def restarted(lens: Lens, name: str) -> None:
    """Asked to stop, gone, and another in its place."""
    before = lens.stack.process(name).pid
    lens.stack.kill(name, signal.SIGTERM)
    while lens.stack.process(name).pid in {None, before}:
        await asyncio.sleep(0.1)


async def play(lens: Lens, executors: list[Executor]) -> int:
    """Publish while both processes are restarted; the head in the end."""
    argv = [sys.executable, "-m", "bench.publisher", str(FRAMES), str(RATE)]
    publisher = await asyncio.to_thread(lambda: subprocess.Popen(argv, cwd=ROOT, env={**os.environ, **lens.stack.env}))
    events = [await asyncio.to_thread(lens.submit) for _ in range(SIGNALS)]
    for name in ("ws-0", "ws-1"):
        await asyncio.sleep(2)
        for one in executors:
            one.ready.clear()
        await restarted(lens, name)
        away = [one for number, one in enumerate(executors) if name == f"ws-{number % 2}"]
        await asyncio.gather(*(one.ready.wait() for one in away))
    await asyncio.to_thread(lens.settled, events)
    assert await asyncio.to_thread(publisher.wait) == 0
    head = int(lens.http.get("/api/v1/decisions/stream").json()["head_seq"])
    while any(not one.seen or one.seen[-1] < head for one in executors):
        await asyncio.sleep(0.1)
    return head


async def _rolling(lens: Lens) -> None:
    executors = [Executor(lens, number) for number in range(CLIENTS)]
    running_ones = [asyncio.create_task(one.run()) for one in executors]
    try:
        async with asyncio.timeout(WITHIN_S):
            await asyncio.gather(*(one.ready.wait() for one in executors))
            head = await play(lens, executors)
    finally:
        for task in running_ones:
            task.cancel()
        ends = await asyncio.gather(*running_ones, return_exceptions=True)
    assert [end for end in ends if not isinstance(end, asyncio.CancelledError)] == []
    assert head > FRAMES
    for one in executors:
        assert one.seen == list(range(1, head + 1))
        assert len(one.advised) == 1
    assert len({pause for one in executors for pause in one.advised}) > CLIENTS / 4


def test_nothing_is_lost_and_all_come_back_when_they_were_told(tmp_path: Path) -> None:
    with running(tmp_path) as lens:
        asyncio.run(_rolling(lens))
