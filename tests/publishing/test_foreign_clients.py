"""Clients that are not ours – a library's, Node's `ws`, a browser – each say who they are, subscribe, hang up and resume."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.test import Client
from playwright.async_api import async_playwright
from websockets.asyncio.client import connect

from tests.described import checked
from tests.publishing.conftest import append, key
from tests.publishing.daphnes import Server, server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]

HALF, ALL = 3, 6
WHOLE = [[seq, seq - 1] for seq in range(1, ALL + 1)]
CHROMIUM = shutil.which("chromium")
NODE = shutil.which("node")
SCRIPT = Path(__file__).with_name("client.js")

IN_A_PAGE = """
async ([half, all]) => {
  const seen = [];
  const listen = (until) => new Promise((done, failed) => {
    const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws/decisions", ["lens.v1"]);
    const last = seen.length ? seen[seen.length - 1][0] : 0;
    socket.onclose = (event) => failed(new Error("closed " + event.code));
    socket.onmessage = (event) => {
      const frame = JSON.parse(event.data);
      if (frame.type === "welcome") socket.send(JSON.stringify({ op: "subscribe", since: { epoch: frame.epoch, seq: last } }));
      if (frame.type !== "decision") return;
      seen.push([frame.seq, frame.prev_seq]);
      if (seen.length === until) { socket.onclose = null; socket.close(); done(socket.protocol); }
    };
  });
  await listen(half);
  return { protocol: await listen(all), seen };
}
"""


@pytest.fixture
def place() -> Iterator[Server]:
    """A server with some frames to tell."""
    with server(LENS_ALLOWED_HOSTS="127.0.0.1") as started:
        append(ALL)
        yield started


def _has_ws() -> bool:
    return NODE is not None and subprocess.run([NODE, "-e", "require('ws')"], capture_output=True, check=False).returncode == 0


async def test_the_websockets_library(place: Server) -> None:
    headers = {"Authorization": f"Bearer {await database_sync_to_async(key)()}"}
    seen: list[list[int]] = []
    for until in (HALF, ALL):
        async with connect(place.url, additional_headers=headers, open_timeout=30) as opened:
            welcome = checked(json.loads(await opened.recv()))
            since = {"epoch": welcome["epoch"], "seq": seen[-1][0] if seen else 0}
            await opened.send(json.dumps({"op": "subscribe", "since": since}))
            assert checked(json.loads(await opened.recv()))["recovered"] is True
            while len(seen) < until:
                frame = checked(json.loads(await opened.recv()))
                seen.append([frame["seq"], frame["prev_seq"]])
            opened.transport.abort()
    assert seen == WHOLE


@pytest.mark.skipif(not _has_ws(), reason="node with the package ws is not here: npm install ws, NODE_PATH=…/node_modules")
async def test_node(place: Server) -> None:
    text = await database_sync_to_async(key)()
    argv = [str(NODE), str(SCRIPT), place.url, text, str(HALF), str(ALL)]
    done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"protocol": "lens.v1", "seen": WHOLE}


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not here")
async def test_a_browser_with_a_session(place: Server) -> None:
    def session() -> str:
        client = Client()
        client.force_login(User.objects.create_user("alice", is_staff=True))
        return client.cookies["sessionid"].value

    cookie: Any = {"name": "sessionid", "value": await database_sync_to_async(session)(), "url": place.http}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context()
        await context.add_cookies([cookie])
        page = await context.new_page()
        await page.goto(f"{place.http}/health")
        heard = await page.evaluate(IN_A_PAGE, [HALF, ALL])
        await browser.close()
    assert heard == {"protocol": "lens.v1", "seen": WHOLE}
