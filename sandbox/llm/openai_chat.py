"""OpenAI chat completions: `POST /v1/chat/completions`, whole or as server-sent events. Compatible vendors speak it too."""

import json
import time
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from sandbox.llm import openai_errors
from sandbox.llm.schema import strict_problem
from sandbox.llm.wire import Ask, Body, Failure, Reply, bearer, child, json_answer, members, text_of, token, usage, whole_number

FINGERPRINT = "fp_5a11db0c7e"
PIECE = 24
_FINISH = {"stop": "stop", "refusal": "stop", "length": "length", "content_filter": "content_filter"}


class OpenAIChat:
    """The wire of `/v1/chat/completions`."""

    vendor = "openai"
    endpoint = "chat"

    def key(self, request: web.Request) -> str | None:
        return bearer(request)

    def fail(self, model: str, failure: Failure) -> web.Response:
        return openai_errors.fail(model, failure)

    def read(self, request: web.Request, body: Body) -> Ask:
        messages = [(str(message.get("role")), text_of(message.get("content"))) for message in members(body.get("messages"))]
        return Ask(
            model=str(body.get("model") or "-"),
            system="\n".join(text for role, text in messages if role in {"system", "developer"}),
            turns=tuple((role, text) for role, text in messages if role in {"user", "assistant"}),
            schema=child(body, "response_format", "json_schema", "schema") or None,
            limit=whole_number(body.get("max_completion_tokens")) or whole_number(body.get("max_tokens")),
            stream=body.get("stream") is True,
            stream_usage=child(body, "stream_options").get("include_usage") is True,
        )

    def objection(self, request: web.Request, body: Body) -> Failure | None:
        if not isinstance(body.get("model"), str) or not body["model"]:
            return Failure("bad_request", "you must provide a model parameter")
        if not isinstance(body.get("messages"), list) or not body["messages"]:
            return Failure("bad_request", "Missing required parameter: 'messages'.", param="messages")
        return format_objection(child(body, "response_format"), child(body, "response_format", "json_schema"), body["messages"])

    def write(self, ask: Ask, reply: Reply) -> web.Response:
        if ask.stream:
            events = (f"data: {json.dumps(chunk, separators=(',', ':'))}\n\n" for chunk in _chunks(ask, reply))
            headers = {"Content-Type": "text/event-stream; charset=utf-8", **openai_errors.headers()}
            return web.Response(body="".join((*events, "data: [DONE]\n\n")).encode(), headers=headers)
        refused = reply.finish == "refusal"
        content = None if refused else reply.text
        message: Body = {"role": "assistant", "content": content, "refusal": reply.text if refused else None, "annotations": []}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _FINISH[reply.finish]}
        whole = {**_head(ask, "chat.completion"), "choices": [choice], "usage": _usage(ask, reply)}
        return json_answer(whole, openai_errors.headers())


def format_objection(asked: Body, named: Body, messages: Any) -> Failure | None:
    """What OpenAI refuses about an answer format; `named` holds `name`, `strict`, `schema`, and JSON mode wants JSON mentioned."""
    if asked.get("type") == "json_object" and "json" not in json.dumps(messages).lower():
        return Failure(
            "bad_request",
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            param="messages",
        )
    if asked.get("type") != "json_schema":
        return None
    if not isinstance(named.get("schema"), dict) or not named.get("name"):
        return Failure(
            "bad_request", "Missing required parameter: 'response_format.json_schema'.", param="response_format.json_schema"
        )
    problem = strict_problem(named["schema"]) if named.get("strict") is True else None
    if problem is None:
        return None
    return Failure("bad_request", f"Invalid schema for response_format '{named['name']}': {problem}", param="response_format")


def _head(ask: Ask, kind: str) -> Body:
    return {
        "id": f"chatcmpl-{token(29)}",
        "object": kind,
        "created": int(time.time()),
        "model": ask.model,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }


def _chunks(ask: Ask, reply: Reply) -> Iterator[Body]:
    head = _head(ask, "chat.completion.chunk")
    if ask.stream_usage:
        head["usage"] = None
    spoken = "refusal" if reply.finish == "refusal" else "content"
    pieces = [reply.text[start : start + PIECE] for start in range(0, len(reply.text), PIECE)]
    deltas: list[Body] = [{"role": "assistant", "content": "" if spoken == "content" else None, "refusal": None}]
    deltas += [{spoken: piece} for piece in pieces]
    for delta in deltas:
        yield {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]}
    yield {**head, "choices": [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": _FINISH[reply.finish]}]}
    if ask.stream_usage:
        yield {**head, "choices": [], "usage": _usage(ask, reply)}


def _usage(ask: Ask, reply: Reply) -> Body:
    counts = usage(ask, reply)
    return {
        "prompt_tokens": counts.prompt,
        "completion_tokens": counts.answer,
        "total_tokens": counts.total,
        "prompt_tokens_details": {"cached_tokens": counts.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
