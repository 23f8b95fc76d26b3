"""One post against a real server: what counts as taken, what bounds it, and where it never goes."""

import asyncio
import itertools
import time
from ipaddress import ip_address
from typing import Any

import pytest
from aiohttp import web

from core.errors import LensError, Permanent, Transient
from publishing.webhooks import sending
from publishing.webhooks.sending import Answer, client, post
from publishing.webhooks.targets import Address
from tests.publishing.receivers import LOOPBACK, Receiver, receiver

pytestmark = pytest.mark.asyncio

HEADERS = {"webhook-id": "msg_1"}


def replies(status: int, body: str = "", **headers: str) -> Any:
    async def reply(_: Receiver, __: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=body, headers=named)

    return reply


async def send(url: str, **options: Any) -> Answer:
    async with client(LOOPBACK, **options) as through:
        return await post(through, url, HEADERS, '{"seq":1}')


async def refused(url: str, **options: Any) -> LensError:
    with pytest.raises(LensError) as caught:
        await send(url, **options)
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_taken(status: int) -> None:
    async with receiver() as there:
        there.reply = replies(status)
        answer = await send(there.url)
        assert answer.status == status
        headers, body = there.calls[0]
        assert (body, headers["content-type"], headers["webhook-id"]) == (b'{"seq":1}', "application/json", "msg_1")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_a_failure_and_is_not_followed(status: int) -> None:
    async with receiver() as there, receiver() as elsewhere:
        there.reply = replies(status, location=elsewhere.url)
        error = await refused(there.url)
        assert (error.code, error.facts["status"]) == ("http_error", status)
        assert elsewhere.calls == []


@pytest.mark.parametrize(
    ("status", "asks", "wait"),
    [
        *((429, "7", 7.0), (503, "3600", 3600.0), (503, "soon", None), (500, "9", None), (429, "", None)),
        (503, "Fri, 01 Jan 2027 00:00:00 +99999999999999", None),
    ],
)
async def test_the_wish_to_be_left_alone_is_heard(status: int, asks: str, wait: float | None) -> None:
    async with receiver() as there:
        there.reply = replies(status, "busy \0 now", Retry_After=asks)
        error = await refused(there.url)
        assert isinstance(error, Transient)
        assert (error.retry_after, error.facts["excerpt"]) == (wait, "busy \N{REPLACEMENT CHARACTER} now")


async def test_gone_is_for_good() -> None:
    async with receiver() as there:
        there.reply = replies(410)
        assert isinstance(await refused(there.url), Permanent)


async def test_a_server_that_drips_is_cut_off_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "DEADLINE_S", 0.5)

    async def drip(__: Receiver, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in itertools.count():
            await response.write(b".")
            await asyncio.sleep(0.02)
        return response

    async with receiver() as there:
        there.reply = drip
        began = time.monotonic()
        monkeypatch.setattr(sending, "KEPT_BYTES", 10_000)
        assert (await refused(there.url)).code == "timeout"
        assert time.monotonic() - began < 5


async def test_of_an_endless_answer_only_the_beginning_is_read() -> None:
    async def flood(__: Receiver, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1_000):
            await response.write(b"x" * 65_536)
        return response

    async with receiver() as there:
        there.reply = flood
        answer = await send(there.url)
        assert answer.excerpt == "x" * sending.KEPT_BYTES


async def test_a_bomb_is_not_unpacked() -> None:
    async with receiver() as there:
        there.reply = replies(200, "not gzip at all", Content_Encoding="gzip")
        assert (await send(there.url)).excerpt == "not gzip at all"


async def test_nobody_there_is_unreachable() -> None:
    async with receiver() as there:
        url = there.url
    assert (await refused(url)).code == "unreachable"


async def test_a_name_that_changes_its_mind_between_check_and_connection_is_not_followed_inside() -> None:
    """DNS rebinding: public when the endpoint is saved, the loopback when it is called."""
    asked: list[str] = []

    def rebinding(host: str, _: int) -> list[Address]:
        asked.append(host)
        return [ip_address("8.8.8.8" if len(asked) == 1 else "127.0.0.1")]

    async with receiver() as there:
        port = there.url.rsplit(":", 1)[1].split("/")[0]
        rebinding("evil.example", 443)
        async with client((), rebinding) as through:
            with pytest.raises(Transient) as refusal:
                await post(through, f"https://evil.example:{port}/", HEADERS, "{}")
        assert (refusal.value.code, there.calls) == ("target_refused", [])


async def test_the_connection_goes_to_the_address_that_was_judged_and_keeps_the_name() -> None:
    """The name resolves nowhere but here, once; the server is reached, and hears the name as Host."""
    asked: list[str] = []

    def only_here(host: str, _: int) -> list[Address]:
        asked.append(host)
        return [ip_address("127.0.0.1")]

    async with receiver() as there:
        url = there.url.replace("127.0.0.1", "exec.invalid")
        await send(url, find=only_here)
        assert asked == ["exec.invalid"]
        assert there.calls[0][0]["host"] == url.split("/")[2]


async def test_a_second_address_is_tried_when_the_first_does_not_answer() -> None:
    async with receiver() as there:
        url = there.url.replace("127.0.0.1", "exec.invalid")
        await send(url, find=lambda _, __: [ip_address("127.0.0.2"), ip_address("127.0.0.1")])
        assert len(there.calls) == 1


async def test_plain_http_to_the_public_is_refused() -> None:
    error = await refused("http://exec.invalid/", find=lambda _, __: [ip_address("8.8.8.8")])
    assert error.code == "target_refused"


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver() as there, receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/hook"))
        await send(there.url)
        assert (len(there.calls), proxy.calls) == (1, [])


async def test_a_certificate_for_another_name_is_refused() -> None:
    """No TLS there at all: what matters is that nothing is sent in the clear."""
    async with receiver() as there:
        assert (await refused(there.url.replace("http://", "https://"))).code == "unreachable"
        assert there.calls == []


async def test_an_address_that_no_request_can_carry_is_refused() -> None:
    assert (await refused("https://☃.net/")).code == "target_refused"
