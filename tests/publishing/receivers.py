"""A destination for webhooks: a real HTTP server in the test's own loop that keeps what it was sent and answers as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Network
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

from core.clock import now
from publishing.webhooks.models import WebhookEndpoint
from publishing.webhooks.services import begin

LOOPBACK = (IPv4Network("127.0.0.0/8"),)
Reply = Callable[["Receiver", web.Request], Awaitable[web.StreamResponse]]


async def taken(_: "Receiver", __: web.Request) -> web.StreamResponse:
    return web.Response(status=204)


class Receiver:
    """What arrived, in order: headers, and the body as bytes."""

    def __init__(self) -> None:
        self.url = ""
        self.reply: Reply = taken
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.heard = asyncio.Condition()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        async with self.heard:
            self.calls.append(({name.lower(): value for name, value in request.headers.items()}, body))
            self.heard.notify_all()
        return await self.reply(self, request)

    async def until(self, count: int, within: float = 60) -> None:
        """Wait for so many calls."""
        async with asyncio.timeout(within), self.heard:
            await self.heard.wait_for(lambda: len(self.calls) >= count)

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.calls]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.calls]

    def verified(self, secret: str) -> list[Any]:
        """The bodies, each checked by the reference implementation."""
        return [Webhook(secret).verify(body, headers) for headers, body in self.calls]


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Listening on a free port of the loopback."""
    made = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}/hook"
    try:
        yield made
    finally:
        await runner.cleanup()


def endpoint(url: str = "https://example.com/hook", **columns: Any) -> tuple[WebhookEndpoint, str]:
    """A stored endpoint that hears what is published from now on, and its secret."""
    made = WebhookEndpoint(**{"name": f"exec {now().timestamp()}", "url": url, **columns})
    secret = begin(made)
    made.save()
    return made, secret
