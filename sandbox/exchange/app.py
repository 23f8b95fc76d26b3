"""The HTTP application: `POST /info` with faults laid over it, and the controls."""

import asyncio
from contextlib import suppress
from pathlib import Path

from aiohttp import web
from pydantic import ValidationError

from sandbox.exchange import wire
from sandbox.exchange.control import Control, explain_bad_settings
from sandbox.exchange.damage import damaged
from sandbox.exchange.replay import ReplayVenue
from sandbox.exchange.venue import SimulatedVenue, Venue
from sandbox.exchange.wire import Answer
from sandbox.faults import FaultScript

REFUSED = {"endpoint": "refused"}
VENUE: web.AppKey[Venue] = web.AppKey("venue")


def create_app(replay: Path | None = None, seed: int = 1) -> web.Application:
    """The whole simulator. With `replay`, it serves the recordings in that folder instead of the simulated market."""
    venue: Venue = SimulatedVenue(seed) if replay is None else ReplayVenue.load(replay)
    control, faults = Control(venue), FaultScript()

    async def info(request: web.Request) -> web.StreamResponse:
        answer, tags = respond(control, request.content_type, await request.read())
        control.count(tags)
        await asyncio.sleep(control.latency_s)
        healthy = web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)
        with suppress(ConnectionResetError):  # the caller left while a scripted answer was still dripping
            return await faults.answer(request, tags, healthy)
        return healthy

    app = web.Application(middlewares=[explain_bad_settings])
    app[VENUE] = venue
    app.add_routes([web.post("/info", info), *control.routes(), *faults.routes()])
    return app


def respond(control: Control, content_type: str, body: bytes) -> tuple[Answer, dict[str, str]]:
    """The answer to a request body before any fault, and the tags that name the request."""
    if content_type != "application/json":
        return wire.NO_JSON_TYPE, REFUSED
    try:
        query = wire.QUERIES.validate_json(body)
    except ValidationError as error:
        syntax = error.errors(include_url=False, include_context=False, include_input=False)[0]["type"] == "json_invalid"
        return wire.NOT_JSON if syntax else wire.NOT_A_REQUEST, REFUSED
    tags = query.tags()
    answer = control.venue.answer(query, control.clock.now_ms())
    return damaged(answer, tags["endpoint"], tags.get("coin"), control.damage), tags
