"""What every vendor's wire has in common: a request read into an `Ask`, a `Reply` or a `Failure` to be written back."""

import json
import random
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from aiohttp import web

Body = dict[str, Any]
Finish = Literal["stop", "length", "refusal", "content_filter"]
Preset = Literal["rate_limit", "insufficient_quota", "overloaded", "auth", "not_found", "bad_request", "server_error"]

REFUSAL = "I'm sorry, but I can't help with that request."
CHARS_PER_TOKEN = 4
CACHE_FROM_TOKENS = 1024
CACHE_STEP = 128

_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, vendor aside. `turns` are (role, text) with the roles `user` and `assistant`; the limit is in tokens.

    `tool` names the tool that the answer must be given to, where the vendor takes answers that way.
    """

    model: str
    system: str
    turns: tuple[tuple[str, str], ...]
    schema: Mapping[str, Any] | None = None
    limit: int | None = None
    stream: bool = False
    stream_usage: bool = False
    tool: str = ""

    @property
    def is_repair(self) -> bool:
        """Whether the model is asked again after an answer of its own."""
        return any(role == "assistant" for role, _ in self.turns)

    def user_texts(self) -> Iterator[str]:
        """The user's turns, newest first."""
        return (text for role, text in reversed(self.turns) if role == "user")


@dataclass(frozen=True, slots=True)
class Reply:
    """The model's text and why it ended there; a `refusal`'s text is the refusal."""

    text: str
    finish: Finish = "stop"


@dataclass(frozen=True, slots=True)
class Failure:
    """An error the vendor answers instead: a preset, perhaps with its own words; `retry_after` in seconds, as text."""

    preset: Preset
    message: str | None = None
    retry_after: str | None = None
    param: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as billed; `cached` is part of `prompt`."""

    prompt: int
    cached: int
    answer: int

    @property
    def total(self) -> int:
        return self.prompt + self.answer


class Wire(Protocol):
    """One endpoint of one vendor."""

    vendor: str
    endpoint: str

    def key(self, request: web.Request) -> str | None:
        """The API key as this vendor's clients send it."""

    def read(self, request: web.Request, body: Body) -> Ask:
        """The request in common terms; tolerant, so that a refused request can still be counted under its event."""

    def objection(self, request: web.Request, body: Body) -> Failure | None:
        """What the vendor would refuse about a well-formed JSON body."""

    def write(self, ask: Ask, reply: Reply) -> web.Response:
        """The answer in the vendor's shape."""

    def fail(self, model: str, failure: Failure) -> web.Response:
        """The error in the vendor's shape."""


def usage(ask: Ask, reply: Reply) -> Usage:
    """About four characters a token; of a long prompt, the system part counts as cached in steps of 128."""
    system = len(ask.system) // CHARS_PER_TOKEN
    prompt = max(1, system + sum(len(text) for _, text in ask.turns) // CHARS_PER_TOKEN)
    cached = system // CACHE_STEP * CACHE_STEP if prompt >= CACHE_FROM_TOKENS else 0
    return Usage(prompt, cached, -(-len(reply.text) // CHARS_PER_TOKEN))


def within_limit(reply: Reply, limit: int | None) -> Reply:
    """The reply, cut at the request's own token limit."""
    if limit is None or len(reply.text) <= limit * CHARS_PER_TOKEN:
        return reply
    return Reply(reply.text[: limit * CHARS_PER_TOKEN], "length")


def token(length: int) -> str:
    """Random letters and digits, as vendors' ids end in."""
    return "".join(random.choices(_ALPHABET, k=length))


def bearer(request: web.Request) -> str | None:
    """The key of `Authorization: Bearer …`."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or a list of parts of which some carry `text`."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))


def members(value: Any) -> Iterator[Body]:
    """The objects in what should be a list of objects."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def child(body: Body, *path: str) -> Body:
    """The object at `path`, empty when something else is there."""
    for name in path:
        value = body.get(name)
        body = value if isinstance(value, dict) else {}
    return body


def whole_number(value: Any) -> int | None:
    """A token limit if it is one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def json_answer(body: Body, headers: Mapping[str, str], status: int = 200) -> web.Response:
    """The JSON body with the vendor's headers."""
    return web.Response(
        status=status,
        body=json.dumps(body, separators=(",", ":")).encode(),
        headers={"Content-Type": "application/json", **headers},
    )
