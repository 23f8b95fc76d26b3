"""The simulator's HTTP surface: one handler for every vendor's wire, the control routes, model lists.

body ─▶ read ─▶ find payload ─▶ ledger ─┬─ error? ─────────────▶ fail ──┬─▶ fault script ─▶ client
                                        └─ think ─▶ opinion ─▶ write ──┘
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from sandbox.faults import Fault, FaultScript
from sandbox.llm.anthropic_wire import AnthropicMessages
from sandbox.llm.google_wire import GeminiGenerate
from sandbox.llm.ledger import Call, Ledger
from sandbox.llm.misbehaviour import dump, misbehave
from sandbox.llm.models import list_gemini, list_models
from sandbox.llm.openai_chat import OpenAIChat
from sandbox.llm.openai_responses import OpenAIResponses
from sandbox.llm.opinions import form_opinion, is_close
from sandbox.llm.payloads import Payload, find_payload
from sandbox.llm.schema import SchemaError, conform
from sandbox.llm.script import Script
from sandbox.llm.wire import Ask, Failure, Reply, Wire, within_limit

MAX_BODY = 1024 * 1024
CLIENT_GONE = 499
CLIENT_GONE_CHECK_S = 0.5

# faults that strike after the answer was made; the others replace it, so nothing is paid
_GENERATED = frozenset({"delay", "drip", "truncate"})
_CUT = frozenset({"drip", "truncate"})


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request understood: how it speaks, what it asks, about what."""

    wire: Wire
    ask: Ask
    payload: Payload | None
    objection: Failure | None

    def tags(self) -> dict[str, str]:
        """What rules match on."""
        data = {} if self.payload is None else self.payload.data
        return {
            "vendor": self.wire.vendor,
            "endpoint": self.wire.endpoint,
            "model": self.ask.model,
            "event_id": "-" if self.payload is None else self.payload.event_id,
            "event_type": "CLOSE_SIGNAL" if is_close(data) else "OPEN_SIGNAL" if data else "-",
            "prompt": "repair" if self.ask.is_repair else "first",
        }


class Simulator:
    """Answers prompts as the script says, and keeps the ledger."""

    def __init__(self, latency: float = 0.0) -> None:
        self.script = Script(latency)
        self.faults = FaultScript()
        self.ledger = Ledger()

    async def handle(self, wire: Wire, request: web.Request) -> web.StreamResponse:
        """One prompt from its first byte to its last."""
        raw = await request.read()
        prompt = _understand(wire, request, raw)
        tags = prompt.tags()
        call = Call(request.path, prompt.ask.model, tags["event_id"], "repair" if prompt.ask.is_repair else "first", raw)
        with self.ledger.open(call) as ticket:
            fault = self.faults.pick(tags)
            if fault is not None and fault.kind not in _GENERATED:
                return await _play(fault, request, tags, web.Response())
            answer = await self._answer(prompt, tags)
            if answer.status == web.HTTPOk.status_code:
                ticket.answered(cut=fault is not None and fault.kind in _CUT)
            return answer if fault is None else await _play(fault, request, tags, answer)

    async def _answer(self, prompt: Prompt, tags: dict[str, str]) -> web.Response:
        """Errors come at once, answers after the model's latency."""
        wire, model = prompt.wire, prompt.ask.model
        if prompt.objection is not None:
            return wire.fail(model, prompt.objection)
        scripted = self.script.error(tags)
        if scripted is not None:
            return wire.fail(model, scripted.failure())
        await asyncio.sleep(self.script.latency.of(model))
        try:
            return wire.write(prompt.ask, self._reply(prompt, tags))
        except SchemaError as error:
            return wire.fail(model, Failure("bad_request", str(error)))

    def _reply(self, prompt: Prompt, tags: dict[str, str]) -> Reply:
        opinion = form_opinion(prompt.payload, prompt.ask.model)
        answer = opinion if prompt.ask.schema is None else conform(opinion, prompt.ask.schema)
        rule = self.script.answer(tags)
        if rule is not None:
            return misbehave(rule.kind, answer, rule.text)
        return within_limit(Reply(dump(answer)), prompt.ask.limit)


def make_app(latency: float = 0.0) -> web.Application:
    """The application, every model thinking `latency` seconds until the script says otherwise."""
    simulator = Simulator(latency)
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_refuse_bad_control])
    app.add_routes(
        [
            web.post("/v1/chat/completions", partial(simulator.handle, OpenAIChat())),
            web.post("/v1/responses", partial(simulator.handle, OpenAIResponses())),
            web.post("/v1/messages", partial(simulator.handle, AnthropicMessages())),
            web.post(r"/{version:v1|v1beta}/models/{model:[^/:]+}:generateContent", partial(simulator.handle, GeminiGenerate())),
            web.get("/v1/models", list_models),
            web.get("/v1beta/models", list_gemini),
            web.get("/_control/health", _health),
            *simulator.script.routes(),
            *simulator.faults.routes(),
            *simulator.ledger.routes(),
        ]
    )
    return app


def _understand(wire: Wire, request: web.Request, raw: bytes) -> Prompt:
    try:
        body: Any = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        unread = Failure("bad_request", "We could not parse the JSON body of your request.")
        return Prompt(wire, Ask("-", "", ()), None, unread)
    ask = wire.read(request, body)
    return Prompt(wire, ask, find_payload(ask.user_texts()), _key_problem(wire, request) or wire.objection(request, body))


def _key_problem(wire: Wire, request: web.Request) -> Failure | None:
    key = wire.key(request)
    return Failure("auth") if key is None or key.startswith("bad") else None


async def _play(fault: Fault, request: web.Request, tags: dict[str, str], healthy: web.Response) -> web.StreamResponse:
    """The fault, already picked, acted out until it is over or the client has gone (a held request must not stay for ever)."""
    stage = FaultScript()
    stage.rules = [fault.model_copy(update={"match": {}, "times": None, "after": 0})]
    act = asyncio.create_task(stage.answer(request, tags, healthy))
    try:
        while not act.done() and request.transport is not None:
            await asyncio.wait({act}, timeout=CLIENT_GONE_CHECK_S)
        if act.done():
            return act.result()
    except ConnectionError:  # the client left between two bytes of a drip
        pass
    finally:
        act.cancel()
    return web.Response(status=CLIENT_GONE)


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


@web.middleware
async def _refuse_bad_control(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A control body that is not JSON is 400, one that is not a rule 422; both say what is wrong."""
    try:
        return await handler(request)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        malformed = any(problem["type"] == "json_invalid" for problem in problems)
        return web.json_response({"error": str(problems[0]["msg"]), "problems": problems}, status=400 if malformed else 422)
