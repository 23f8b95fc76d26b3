"""Two executors of the whole product, one that listens and one that is called; processes are killed, the broker is flushed."""

import asyncio
import re
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis
from sigmapilot_lens_client import FilePositions, Gap, LensClient

from tests.publishing.receivers import Receiver, receiver
from tests.signals.test_hooks_stack import csrf, logged_in
from tests.stack import Lens, running

pytestmark = [pytest.mark.stack, pytest.mark.asyncio]

SIGNALS = 12


def made_endpoint(lens: Lens, url: str) -> str:
    """An endpoint made in the admin; its secret, read where a person reads it."""
    page = "/admin/publishing/webhookendpoint/add/"
    with closing(logged_in(lens)) as browser:
        fields = {"name": "exec b", "url": url, "filter": "{}", "max_in_flight": "1", **csrf(browser, page)}
        found = re.search(r'<pre id="webhook-secret">([^<]+)</pre>', browser.post(page, data=fields).text)
    assert found is not None
    return found[1]


async def follow(lens: Lens, store: FilePositions, seen: list[int], gaps: list[Gap]) -> None:
    url = lens.facts["ws"][0] + "/ws/decisions"
    async with LensClient(url, lens.facts["api_key"], None, store, on_gap=gaps.append) as client:
        async for frame in client:
            seen.append(frame["seq"])  # noqa: PERF401  looked at while it grows


async def break_things(lens: Lens) -> list[str]:
    """Signals, and between them a kill of each process that serves executors and an empty broker."""
    sent: list[str] = []
    for number in range(SIGNALS):
        sent.append(await asyncio.to_thread(lens.submit))
        if number == SIGNALS // 3:
            lens.stack.kill("ws-0")
            lens.stack.kill("webhooks")
        if number == SIGNALS // 2:
            with Redis.from_url(lens.facts["redis"]) as broker:
                broker.flushall()
        await asyncio.sleep(0.2)
    await asyncio.to_thread(lens.settled, sent, 90)
    return sent


async def caught_up(seen: list[int], there: Receiver, head: int) -> None:
    async with asyncio.timeout(60):
        while len(seen) < head or len(set(there.ids)) < head:
            await asyncio.sleep(0.1)


async def test_each_frame_reaches_both_once_and_in_order_whatever_is_killed(tmp_path: Path) -> None:
    async with receiver() as there:
        with running(tmp_path, LENS_WEBHOOK_ALLOW_PRIVATE="127.0.0.0/8") as lens:
            secret = await asyncio.to_thread(made_endpoint, lens, there.url)
            seen: list[int] = []
            gaps: list[Gap] = []
            store = FilePositions(tmp_path / "position.json")
            following = asyncio.create_task(follow(lens, store, seen, gaps))
            async with asyncio.timeout(30):
                while store.load() is None:
                    await asyncio.sleep(0.05)
            await break_things(lens)
            stream = [frame["seq"] for frame in await asyncio.to_thread(lens.frames)]
            await caught_up(seen, there, stream[-1])
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            metrics = (await asyncio.to_thread(lens.http.get, "/metrics")).text
            ready = (await asyncio.to_thread(lens.http.get, "/ready")).json()
        assert (seen, gaps) == (stream, [])
        frames = {frame["seq"]: frame for frame in there.verified(secret)}
        assert sorted(frames) == stream
        assert [frames[seq]["prev_seq"] for seq in stream] == [0, *stream[:-1]]
        # A kill may send the post under way a second time, under the same id.
        assert len(there.calls) <= len(stream) + 1
        assert 'lens_webhook_deliveries_total{outcome="delivered"}' in metrics
        assert ready["dependencies"]["webhooks"] == "ok"
