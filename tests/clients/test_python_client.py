"""The client against real servers that are killed, flushed, restored and silenced: each frame once, in order."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from channels.db import database_sync_to_async as in_database
from django.conf import settings
from redis import Redis
from sigmapilot_lens_client import FilePositions, Filter, Gap, LensClient, MemoryPositions, Options, Position, RefusedError, iterate
from websockets.asyncio.server import ServerConnection, serve

from publishing import selectors
from publishing.models import Frame as FrameRow
from signals.models import Signal
from tests.publishing.conftest import key, models, publish
from tests.publishing.daphnes import server

__all__ = ["models", "publish"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]

Publish = Callable[..., Signal]
ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "clients" / "python"


async def hear(client: LensClient, count: int, within: float = 60) -> list[int]:
    """So many frames, acknowledging each but the last."""
    async with asyncio.timeout(within):
        return [(await anext(client))["seq"] for _ in range(count)]


async def subscribed(client: LensClient) -> "asyncio.Task[Any]":
    """A first frame asked for; returns once the client stands at the head."""
    first: asyncio.Task[Any] = asyncio.ensure_future(anext(client))
    async with asyncio.timeout(30):
        while client.position is None:
            await asyncio.sleep(0.02)
    return first


async def epoch() -> str:
    return str((await in_database(selectors.log)()).epoch)


async def since(seq: int) -> MemoryPositions:
    return MemoryPositions(Position(await epoch(), seq))


async def test_a_killed_server_and_a_flushed_broker_cost_nothing(publish: Publish, tmp_path: Path) -> None:
    text = await in_database(key)()
    store = FilePositions(tmp_path / "position.json")
    store.save(Position(await epoch(), 0))
    seen: list[int] = []
    with server() as first, server() as second:
        for url, killed in ((first.url, first), (second.url, None)):
            async with LensClient(url, text, None, store) as lens:
                for _ in range(10):
                    await in_database(publish)()
                async with asyncio.timeout(60):
                    frames = [await anext(lens) for _ in range(10)]
                seen += [frame["seq"] for frame in frames]
                await lens.ack(frames[-1])
                if killed is not None:
                    killed.process.kill()
                    with Redis.from_url(settings.CELERY_BROKER_URL) as broker:
                        broker.flushall()
    assert seen == list(range(1, 21))


async def test_the_same_client_finds_its_server_again(publish: Publish) -> None:
    """Killed, and started again on the same port, while frames go on being published."""
    text = await in_database(key)()
    async with proxy() as (port, aim):
        with server() as first:
            aim(first.url)
            async with LensClient(f"ws://127.0.0.1:{port}/ws/decisions", text) as lens:
                waiting = await subscribed(lens)
                await in_database(publish)()
                seen = [(await waiting)["seq"], *await hear_after(publish, lens, 4)]
                first.process.kill()
                for _ in range(5):
                    await in_database(publish)()
                with server() as second:
                    aim(second.url)
                    seen += await hear(lens, 5)
    assert seen == list(range(1, 11))


async def hear_after(publish: Publish, lens: LensClient, count: int) -> list[int]:
    for _ in range(count):
        await in_database(publish)()
    return await hear(lens, count)


@asynccontextmanager
async def proxy() -> AsyncIterator[tuple[int, Callable[[str], None]]]:
    """One address whose server can be exchanged."""
    target = 0

    def aim(url: str) -> None:
        nonlocal target
        target = int(url.split(":")[2].split("/", maxsplit=1)[0])

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        pumps = [asyncio.create_task(pump(reader, back)), asyncio.create_task(pump(there, writer))]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for one in pumps:
            one.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        writer.close()
        back.close()

    listening = await asyncio.start_server(join, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1], aim
    finally:
        listening.close()


async def test_what_was_not_acknowledged_comes_again_and_what_was_does_not(publish: Publish) -> None:
    text = await in_database(key)()
    for _ in range(4):
        await in_database(publish)()
    store = await since(0)
    with server() as there:
        async with LensClient(there.url, text, None, store) as lens:
            assert await hear(lens, 3) == [1, 2, 3]
        assert store.position == Position(await epoch(), 2)
        async with LensClient(there.url, text, None, store, options=Options(auto_ack=False, window=1)) as lens:
            frame = await anext(lens)
            assert frame["seq"] == 3
            await lens.ack(frame)
            assert (await anext(lens))["seq"] == 4
        assert store.position == Position(await epoch(), 3)


async def test_a_filter_is_kept_and_its_chain_holds(publish: Publish) -> None:
    text = await in_database(key)()
    for symbol in ("BTC", "ETH", "BTC", "ETH"):
        await in_database(publish)(symbol=symbol)
    gaps: list[Gap] = []
    with server() as there:
        async with LensClient(there.url, text, Filter(symbol=["eth-perp"]), await since(0), on_gap=gaps.append) as lens:
            assert await hear(lens, 2) == [2, 4]
    assert gaps == []


async def test_what_retention_took_is_told_and_the_rest_is_heard(publish: Publish) -> None:
    text = await in_database(key)()
    for _ in range(5):
        await in_database(publish)()
    await in_database(FrameRow.objects.filter(seq__lte=2).delete)()
    gaps: list[Gap] = []
    with server() as there:
        async with LensClient(there.url, text, None, await since(1), on_gap=gaps.append) as lens:
            assert await hear(lens, 3) == [3, 4, 5]
    assert [(gap.reason, gap.resumes_after.seq) for gap in gaps] == [("before_retention", 2)]


async def test_another_log_is_told_and_heard_from_its_beginning(publish: Publish) -> None:
    text = await in_database(key)()
    for _ in range(3):
        await in_database(publish)()
    told: list[Gap] = []

    async def on_gap(gap: Gap) -> None:
        told.append(gap)

    with server() as there:
        async with LensClient(there.url, text, None, MemoryPositions(Position("another", 2)), on_gap=on_gap) as lens:
            assert await hear(lens, 3) == [1, 2, 3]
    assert [(gap.reason, gap.after) for gap in told] == [("epoch_changed", Position("another", 2))]


async def test_a_key_or_filter_that_is_refused_ends_it(publish: Publish) -> None:
    text = await in_database(key)()
    with server() as there:
        for shown, wanted in (("lens_00000000_x", Filter()), (text, Filter(model=["hal"])), (text, Filter(kind=["gossip"]))):
            async with LensClient(there.url, shown, wanted) as lens:
                with pytest.raises(RefusedError):
                    await hear(lens, 1)


def verdict(seq: int, prev_seq: int, epoch: str = "a") -> dict[str, Any]:
    about = {"event_id": f"{epoch}{seq}", "evaluation": 0, "model": None}
    return {"type": "verdict", "epoch": epoch, "seq": seq, "prev_seq": prev_seq, **about}


class Script:
    """A server that says what the test wants: what a real one never would.

    `frames`: what each subscription gets, a frame by its two numbers, anything else whole, or the code to close with.
    """

    def __init__(self) -> None:
        self.heard: list[list[dict[str, Any]]] = []
        self.frames: list[list[tuple[int, int] | dict[str, Any] | int]] = []
        self.unavailable = 0

    def told(self, op: str) -> list[dict[str, Any]]:
        return [message for heard in self.heard for message in heard if message["op"] == op]

    async def __call__(self, opened: ServerConnection) -> None:
        heard: list[dict[str, Any]] = []
        self.heard.append(heard)
        await opened.send(json.dumps({"type": "welcome", "epoch": "a", "head_seq": 9, "heartbeat_s": 60}))
        async for text in opened:
            message = json.loads(text)
            heard.append(message)
            if message["op"] == "subscribe" and self.unavailable:
                self.unavailable -= 1
                await opened.send(json.dumps({"type": "error", "code": "unavailable", "message": "try again"}))
            elif message["op"] == "subscribe":
                answer = {"type": "subscribed", "id": message["id"], "epoch": "a", "head_seq": 9, "recovered": True}
                await opened.send(json.dumps(answer))
                for said in self.frames.pop(0) if self.frames else []:
                    if isinstance(said, int):
                        await opened.close(said)
                    else:
                        await opened.send(json.dumps(verdict(*said) if isinstance(said, tuple) else said))


@asynccontextmanager
async def scripted() -> AsyncIterator[tuple[Script, str]]:
    script = Script()
    async with serve(script, "127.0.0.1", 0) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        yield script, f"ws://127.0.0.1:{port}"


def at(seq: int) -> MemoryPositions:
    return MemoryPositions(Position("a", seq))


async def test_repeats_are_dropped_and_a_hole_is_asked_about_before_it_is_believed() -> None:
    async with scripted() as (script, url):
        script.frames = [[(1, 0), (1, 0), (3, 2), (4, 3)], [(2, 1), (3, 2), (4, 3), (6, 5)], [(6, 5)]]
        gaps: list[Gap] = []
        async with LensClient(url, "k", None, at(0), on_gap=gaps.append) as lens:
            assert await hear(lens, 5) == [1, 2, 3, 4, 6]
        asked = [message["since"]["seq"] for message in script.heard[0] if message["op"] == "subscribe"]
        assert asked == [0, 1, 4]
        assert [(gap.reason, gap.resumes_after.seq) for gap in gaps] == [("chain_broken", 5)]


async def test_silence_is_not_taken_for_peace() -> None:
    async with scripted() as (script, url):
        script.frames = [[(1, 0)], [(2, 1)]]
        async with LensClient(url, "k", None, at(0), options=Options(silence_s=0.3)) as lens:
            assert await hear(lens, 2) == [1, 2]
        assert len(script.heard) == 2


async def test_a_subscription_that_met_a_missing_database_is_asked_for_again_soon() -> None:
    async with scripted() as (script, url):
        script.unavailable, script.frames = 1, [[(1, 0)]]
        async with LensClient(url, "k", None, at(0)) as lens:
            assert await hear(lens, 1, within=20) == [1]
        assert len(script.heard) == 2


@pytest.mark.parametrize("code", [1000, 1001])
async def test_a_server_that_says_goodbye_is_come_back_to(code: int) -> None:
    async with scripted() as (script, url):
        script.frames = [[(1, 0), code], [code], [(2, 1)]]
        async with LensClient(url, "k", None, at(0)) as lens:
            assert await hear(lens, 2, within=20) == [1, 2]
        assert [asked["since"]["seq"] for asked in script.told("subscribe")] == [0, 1, 1]


async def test_a_subscription_that_stood_ends_the_count_of_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even one without a frame: the first pause after a quiet night is a short one."""
    counted: list[int] = []

    def at_once(_: Exception, failures: int) -> float:
        counted.append(failures)
        return 0.0

    monkeypatch.setattr("sigmapilot_lens_client.client._pause", at_once)
    async with scripted() as (script, url):
        script.unavailable, script.frames = 3, [[1011], [1011], [(1, 0)]]
        async with LensClient(url, "k", None, at(0)) as lens:
            assert await hear(lens, 1) == [1]
    assert counted == [0, 1, 2, 0, 0]


async def test_a_wait_that_was_given_up_costs_no_frame_and_repeats_none() -> None:
    store = at(0)
    async with scripted() as (script, url):
        script.frames = [[(1, 0)], [(2, 1), (3, 2)]]
        async with LensClient(url, "k", None, store, options=Options(auto_ack=False)) as lens:
            first = await anext(lens)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(lens), 0.3)
            await lens.ack(first)
            assert store.position == Position("a", 1)
            assert await hear(lens, 2, within=20) == [2, 3]
        assert [asked["since"]["seq"] for asked in script.told("subscribe")] == [0, 1]


async def test_a_second_one_waiting_is_refused_and_the_first_goes_on() -> None:
    async with scripted() as (script, url):
        async with LensClient(url, "k", None, at(0), options=Options(silence_s=2)) as lens:
            first = asyncio.create_task(hear(lens, 2, within=20))
            while not script.told("subscribe"):
                await asyncio.sleep(0.01)
            with pytest.raises(RuntimeError, match="already running"):
                await anext(lens)
            script.frames = [[(1, 0), (2, 1)]]
            assert await first == [1, 2]
        assert len(script.heard) >= 2


class FullDisk(MemoryPositions):
    """Has no room at first."""

    full = True

    def save(self, position: Position) -> None:
        if self.full:
            self.full = False
            raise OSError("no space left on device")
        super().save(position)


async def test_a_first_position_that_could_not_be_kept_is_kept_by_the_next_wait() -> None:
    store = FullDisk()
    async with scripted() as (script, url):
        script.frames = [[], [(10, 9)]]
        async with LensClient(url, "k", None, store, options=Options(auto_ack=False)) as lens:
            assert await hear(lens, 1, within=20) == [10]
    assert store.position == Position("a", 9)


async def test_a_frame_of_the_log_before_moves_no_position_in_the_new_one() -> None:
    """The log was restored from a copy that ended at 1, and has written its own 2 and 3 since."""
    store = at(0)
    changed = {"type": "resync", "reason": "epoch_changed", "head_seq": 3, "rest": "/decisions?epoch=b&after_seq=0"}
    async with scripted() as (script, url):
        script.frames = [[(1, 0), (2, 1), (3, 2), changed], [(1, 0), verdict(2, 1, "b"), verdict(3, 2, "b")]]
        async with LensClient(url, "k", None, store, options=Options(auto_ack=False)) as lens:
            async with asyncio.timeout(20):
                before = [await anext(lens) for _ in range(3)]
                after = [await anext(lens) for _ in range(3)]
            kept = []
            for frame in (before[2], after[0], before[1], after[1]):
                await lens.ack(frame)
                kept.append(store.position)
            while len(script.told("ack")) < 2:
                await asyncio.sleep(0.01)
        assert kept == [Position("a", 0), Position("b", 1), Position("b", 1), Position("b", 2)]
        assert [message["seq"] for message in script.told("ack")] == [1, 2]


async def test_a_receipt_is_told_again_until_it_is_confirmed() -> None:
    async with scripted() as (script, url):
        script.frames = [[(1, 0)], [(2, 1)]]
        async with LensClient(url, "k", None, at(0), options=Options(silence_s=0.3)) as lens:
            await hear(lens, 1)
            await lens.receipt("0199", "acted", client_order_id="o-1")
            await hear(lens, 1)
        told = [[message for message in heard if message["op"] == "receipt"] for heard in script.heard]
        assert told[0] == told[1] != []
        assert told[0][0] | {"id": 0} == {
            "op": "receipt",
            "id": 0,
            "decision_id": "0199",
            "state": "acted",
            "client_order_id": "o-1",
        }


async def test_cancelled_it_hangs_up() -> None:
    async with scripted() as (script, url):
        lens = LensClient(url, "k", None, at(0))
        waiting = asyncio.create_task(hear(lens, 1))
        while not (script.heard and script.heard[0]):
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await lens.close()


async def test_without_a_loop_it_is_an_ordinary_iterator() -> None:
    def three(url: str) -> list[int]:
        with closing(iterate(LensClient(url, "k", None, at(0)))) as frames:  # type: ignore[type-var]
            return [next(frames)["seq"] for _ in range(3)]

    async with scripted() as (script, url):
        script.frames = [[(1, 0), (2, 1), (3, 2)]]
        assert await asyncio.to_thread(three, url) == [1, 2, 3]


async def test_the_example_executor_killed_anywhere_acts_once(publish: Publish, tmp_path: Path) -> None:
    """Its position is turned back as a crash between acting and acknowledging would leave it."""
    text = await in_database(key)()
    for _ in range(2):
        await in_database(publish)()
    (tmp_path / "position.json").write_text(json.dumps({"epoch": await epoch(), "seq": 0}))
    example = (CLIENT / "examples" / "executor.py").read_text().replace('kind=["verdict"]', 'kind=["decision"]')
    (tmp_path / "executor.py").write_text(example)
    environ = {**os.environ, "LENS_KEY": text, "PYTHONPATH": str(CLIENT / "src"), "PYTHONUNBUFFERED": "1"}
    told: list[list[dict[str, Any]]] = []
    with server() as there:
        argv = [sys.executable, str(tmp_path / "executor.py"), "--url", there.url, "--state", str(tmp_path)]
        for _ in range(2):
            (tmp_path / "position.json").write_text(json.dumps({"epoch": await epoch(), "seq": 0}))
            running = await asyncio.create_subprocess_exec(*argv, env=environ, stdout=subprocess.PIPE)
            assert running.stdout is not None
            async with asyncio.timeout(60):
                told.append([json.loads(await running.stdout.readline()) for _ in range(2)])
            running.kill()
            await running.communicate()
    assert [line["would"] for line in told[0]] == ["act", "act"]
    assert [(line["would"], line["reason"]) for line in told[1]] == [("skip", "duplicate")] * 2
