"""Anthropic messages: `POST /v1/messages`, not streamed."""

import json
from collections.abc import Mapping

from aiohttp import web

from sandbox.llm.schema import bounded_problem
from sandbox.llm.wire import (
    Ask,
    Body,
    Failure,
    Preset,
    Reply,
    bearer,
    child,
    json_answer,
    members,
    text_of,
    token,
    usage,
    whole_number,
)

_STOP = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal", "content_filter": "refusal"}
_ERRORS: Mapping[Preset, tuple[int, str, str]] = {
    "rate_limit": (
        429,
        "rate_limit_error",
        "This request would exceed your organization's rate limit of 50 requests per minute. For details, refer to: "
        "https://docs.claude.com/en/api/rate-limits.",
    ),
    "insufficient_quota": (
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
    ),
    "overloaded": (529, "overloaded_error", "Overloaded"),
    "auth": (401, "authentication_error", "invalid x-api-key"),
    "not_found": (404, "not_found_error", "model: {model}"),
    "bad_request": (400, "invalid_request_error", "messages: Input should be a valid list"),
    "server_error": (500, "api_error", "Internal server error"),
}


class AnthropicMessages:
    """The wire of `/v1/messages`."""

    vendor = "anthropic"
    endpoint = "messages"

    def key(self, request: web.Request) -> str | None:
        """`x-api-key`, or the bearer token that newer clients send."""
        return request.headers.get("x-api-key") or bearer(request)

    def read(self, request: web.Request, body: Body) -> Ask:
        return Ask(
            model=str(body.get("model") or "-"),
            system=text_of(body.get("system")),
            turns=tuple((str(turn.get("role")), text_of(turn.get("content"))) for turn in members(body.get("messages"))),
            schema=child(_format(body), "schema") or _tool(body) or None,
            tool=str(child(body, "tool_choice").get("name") or "") if _tool(body) else "",
            limit=whole_number(body.get("max_tokens")),
        )

    def objection(self, request: web.Request, body: Body) -> Failure | None:
        if "anthropic-version" not in request.headers:
            return Failure("bad_request", "anthropic-version: header is required")
        for name in ("model", "max_tokens", "messages"):
            if not body.get(name):
                return Failure("bad_request", f"{name}: Field required")
        if body.get("stream") is True:
            return Failure("bad_request", "stream: streaming is not available for this model here")
        schema = _format(body).get("schema")
        problem = bounded_problem(schema) if isinstance(schema, dict) else None
        return None if problem is None else Failure("bad_request", f"output_config.format.schema: {problem}")

    def write(self, ask: Ask, reply: Reply) -> web.Response:
        if reply.finish == "content_filter":
            return self.fail(ask.model, Failure("bad_request", "Output blocked by content filtering policy"))
        refused = reply.finish == "refusal"
        details = {"type": "refusal", "category": None, "explanation": reply.text} if refused else None
        whole = {
            "model": ask.model,
            "id": f"msg_01{token(22)}",
            "type": "message",
            "role": "assistant",
            "content": [] if refused or not reply.text else [_block(ask, reply)],
            "stop_reason": "tool_use" if reply.finish == "stop" and _given(ask, reply) else _STOP[reply.finish],
            "stop_sequence": None,
            "stop_details": details,
            "usage": _usage(ask, reply),
        }
        return json_answer(whole, _headers(_request_id()))

    def fail(self, model: str, failure: Failure) -> web.Response:
        status, kind, words = _ERRORS[failure.preset]
        request_id = _request_id()
        headers = _headers(request_id)
        if status in {429, 500, 529}:
            headers["x-should-retry"] = "true"
        if failure.retry_after is not None:
            headers["retry-after"] = failure.retry_after
        error = {"type": kind, "message": failure.message or words.format(model=model)}
        return json_answer({"type": "error", "error": error, "request_id": request_id}, headers, status)


def _tool(body: Body) -> Body:
    """The schema of the tool that must be used; empty when the choice is free."""
    name = child(body, "tool_choice").get("name")
    return next((child(tool, "input_schema") for tool in members(body.get("tools")) if tool.get("name") == name), {})


def _given(ask: Ask, reply: Reply) -> Body | None:
    """What the tool is given: the answer if it is an object and a tool was demanded."""
    try:
        value = json.loads(reply.text) if ask.tool else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _block(ask: Ask, reply: Reply) -> Body:
    given = _given(ask, reply)
    if given is None:
        return {"type": "text", "text": reply.text}
    return {"type": "tool_use", "id": f"toolu_01{token(22)}", "name": ask.tool, "input": given}


def _format(body: Body) -> Body:
    return child(body, "output_config", "format") or child(body, "output_format")


def _request_id() -> str:
    return f"req_011C{token(20)}"


def _headers(request_id: str) -> dict[str, str]:
    return {
        "request-id": request_id,
        "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
    }


def _usage(ask: Ask, reply: Reply) -> Body:
    counts = usage(ask, reply)
    return {
        "input_tokens": counts.prompt - counts.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": counts.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": counts.answer,
        "service_tier": "standard",
    }
