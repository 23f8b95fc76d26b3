"""OpenAI responses: `POST /v1/responses`, not streamed."""

import time
from typing import Any

from aiohttp import web

from sandbox.llm import openai_errors
from sandbox.llm.openai_chat import format_objection
from sandbox.llm.wire import Ask, Body, Failure, Reply, bearer, child, json_answer, members, text_of, token, usage, whole_number

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


class OpenAIResponses:
    """The wire of `/v1/responses`."""

    vendor = "openai"
    endpoint = "responses"

    def key(self, request: web.Request) -> str | None:
        return bearer(request)

    def fail(self, model: str, failure: Failure) -> web.Response:
        return openai_errors.fail(model, failure)

    def read(self, request: web.Request, body: Body) -> Ask:
        messages = [(str(item.get("role")), text_of(item.get("content"))) for item in _items(body.get("input"))]
        instructions = [body["instructions"]] if isinstance(body.get("instructions"), str) else []
        return Ask(
            model=str(body.get("model") or "-"),
            system="\n".join(instructions + [text for role, text in messages if role in {"system", "developer"}]),
            turns=tuple((role, text) for role, text in messages if role in {"user", "assistant"}),
            schema=child(body, "text", "format", "schema") or None,
            limit=whole_number(body.get("max_output_tokens")),
        )

    def objection(self, request: web.Request, body: Body) -> Failure | None:
        for name in ("model", "input"):
            if not body.get(name):
                return Failure("bad_request", f"Missing required parameter: '{name}'.", param=name)
        if body.get("stream") is True:
            return Failure("bad_request", "Streaming is not available for this model here.", param="stream")
        asked = child(body, "text", "format")
        return format_objection(asked, asked, body["input"])

    def write(self, ask: Ask, reply: Reply) -> web.Response:
        incomplete = _INCOMPLETE.get(reply.finish)
        status = "completed" if incomplete is None else "incomplete"
        whole = {
            **_frame(ask),
            "status": status,
            "incomplete_details": None if incomplete is None else {"reason": incomplete},
            "output": [_message(reply, status)],
            "usage": _usage(ask, reply),
        }
        return json_answer(whole, openai_errors.headers())


def _items(value: Any) -> list[Body]:
    return [{"role": "user", "content": value}] if isinstance(value, str) else list(members(value))


def _message(reply: Reply, status: str) -> Body:
    content: list[Body] = []
    if reply.finish == "refusal":
        content = [{"type": "refusal", "refusal": reply.text}]
    elif reply.text:
        content = [{"type": "output_text", "annotations": [], "logprobs": [], "text": reply.text}]
    return {"id": f"msg_{token(48).lower()}", "type": "message", "status": status, "content": content, "role": "assistant"}


def _frame(ask: Ask) -> Body:
    answer_format = (
        {"type": "text"} if ask.schema is None else {"type": "json_schema", "name": "answer", "schema": dict(ask.schema)}
    )
    return {
        "id": f"resp_{token(48).lower()}",
        "object": "response",
        "created_at": int(time.time()),
        "background": False,
        "error": None,
        "instructions": ask.system or None,
        "max_output_tokens": ask.limit,
        "model": ask.model,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": answer_format},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "user": None,
        "metadata": {},
    }


def _usage(ask: Ask, reply: Reply) -> Body:
    counts = usage(ask, reply)
    return {
        "input_tokens": counts.prompt,
        "input_tokens_details": {"cached_tokens": counts.cached, "cache_write_tokens": 0},
        "output_tokens": counts.answer,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": counts.total,
    }
