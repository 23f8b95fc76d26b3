"""Scripted faults for the simulators: what goes wrong, for which requests, how often.

A simulator answers through `FaultScript.answer`, naming the request by tags (`{"endpoint": "l2Book", "coin": "BTC"}`). The first
rule whose `match` is contained in the tags, and which still has `times` left, decides the answer. Rules arrive over HTTP
(`PUT /_control/faults`), so a test scripts the outside world the way the outside world reaches the product: through a socket.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Kind = Literal["status", "body", "delay", "hang", "drip", "truncate", "reset"]


class Fault(BaseModel):
    """One rule. `times=None` means for ever; `after` lets that many matching requests pass first; `delay_s` precedes every kind."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    match: dict[str, str] = {}
    times: Annotated[int, Field(ge=1)] | None = None
    after: Annotated[int, Field(ge=0)] = 0
    delay_s: Annotated[float, Field(ge=0, le=600)] = 0.0
    status: Annotated[int, Field(ge=100, le=599)] = 500
    headers: dict[str, str] = {}
    body: str | None = None
    seen: int = 0
    fired: int = 0

    def wants(self, tags: Mapping[str, str]) -> bool:
        """Whether this rule decides the request; counts the request as seen when it matches."""
        if any(tags.get(key) != value for key, value in self.match.items()):
            return False
        self.seen += 1
        return self.seen > self.after and (self.times is None or self.fired < self.times)


_RULES = TypeAdapter(list[Fault])


class FaultScript:
    """The rules in force and the control routes that set them."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []

    def routes(self) -> list[web.AbstractRouteDef]:
        """`PUT` replaces all rules (a JSON list), `GET` shows them with their counts, `DELETE` clears them."""
        return [
            web.put("/_control/faults", self._put),
            web.get("/_control/faults", self._get),
            web.delete("/_control/faults", self._clear),
        ]

    def pick(self, tags: Mapping[str, str]) -> Fault | None:
        """The rule that decides this request, counted as fired."""
        for rule in self.rules:
            if rule.wants(tags):
                rule.fired += 1
                return rule
        return None

    async def answer(self, request: web.Request, tags: Mapping[str, str], healthy: web.Response) -> web.StreamResponse:
        """The healthy answer, or what the script makes of it."""
        fault = self.pick(tags)
        if fault is None:
            return healthy
        await asyncio.sleep(fault.delay_s)
        match fault.kind:
            case "delay":
                return healthy
            case "status":
                return _scripted(fault, fault.status, fault.body or json.dumps({"error": "scripted"}))
            case "body":
                return _scripted(fault, 200, fault.body or "")
            case "hang":
                await asyncio.Event().wait()
            case "drip" | "truncate":
                return await _in_pieces(request, healthy, fault)
        return _reset(request)

    async def _put(self, request: web.Request) -> web.Response:
        self.rules = _RULES.validate_json(await request.read())
        return self._listing()

    async def _get(self, _: web.Request) -> web.Response:
        return self._listing()

    async def _clear(self, _: web.Request) -> web.Response:
        self.rules = []
        return self._listing()

    def _listing(self) -> web.Response:
        return web.json_response([rule.model_dump() for rule in self.rules])


def _scripted(fault: Fault, status: int, body: str) -> web.Response:
    headers: dict[str, Any] = {"Content-Type": "application/json", **fault.headers}
    return web.Response(status=status, body=body.encode(), headers=headers)


async def _in_pieces(request: web.Request, healthy: web.Response, fault: Fault) -> web.StreamResponse:
    """Announce the whole body, then send one byte a second (`drip`) or half of it before the line goes dead (`truncate`)."""
    body = healthy.body if isinstance(healthy.body, bytes) else b""
    response = web.StreamResponse(status=healthy.status, headers=healthy.headers)
    response.content_length = len(body)
    await response.prepare(request)
    if fault.kind == "truncate":
        await response.write(body[: len(body) // 2])
        return _reset(request)
    with contextlib.suppress(ConnectionResetError):  # the caller has had enough
        for position in range(len(body)):
            await response.write(body[position : position + 1])
            await asyncio.sleep(1)
    return response


def _reset(request: web.Request) -> web.Response:
    """Cut the TCP connection without another byte."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
