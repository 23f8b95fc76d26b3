"""Anthropic's messages: an output format where the model knows one, else a tool that it must use, else the schema in words."""

import json
from dataclasses import dataclass
from functools import partial
from typing import Any

import anthropic
import httpx2

from evaluation.clients import stainless
from evaluation.clients.base import Answered, Count, VendorClient, Wire
from evaluation.clients.hosts import home_of
from evaluation.clients.kept import kept
from evaluation.clients.projection import instructions
from evaluation.clients.taxonomy import Trouble
from evaluation.ports import Limits, Prompt, Reply

_TOOL = "answer"
_FINISH = {"end_turn": "stop", "stop_sequence": "stop", "tool_use": "stop", "max_tokens": "length"}
_FINISH |= {"model_context_window_exceeded": "length"}


class _Block(Wire):
    type: str = ""
    text: str = ""
    input: Any = None


class _Details(Wire):
    category: str | None = None
    explanation: str | None = None


class _Usage(Wire):
    input_tokens: Count = None
    cache_creation_input_tokens: Count = None
    cache_read_input_tokens: Count = None
    output_tokens: Count = None

    @property
    def tokens_in(self) -> int | None:
        """All of the prompt: this vendor counts what was cached apart."""
        if self.input_tokens is None:
            return None
        return self.input_tokens + (self.cache_creation_input_tokens or 0) + (self.cache_read_input_tokens or 0)


class _Message(Wire):
    content: list[_Block]
    stop_reason: str | None = None
    stop_details: _Details | None = None
    model: str = ""
    usage: _Usage | None = None

    @property
    def text(self) -> str:
        """The words, or the answer given to the tool as JSON."""
        given = [json.dumps(block.input) for block in self.content if block.type == "tool_use"]
        return given[0] if given else "".join(block.text for block in self.content if block.type == "text")

    @property
    def refusal(self) -> str | None:
        """What the model said in refusing; None when it did not."""
        if self.stop_reason != "refusal":
            return None
        details = self.stop_details or _Details()
        return details.explanation or details.category or self.text


@dataclass(frozen=True)
class Anthropic(VendorClient):
    """Anthropic's own service, or one that speaks like it."""

    errors = (anthropic.APIError,)

    def _sdk(self, key: str) -> anthropic.Anthropic:
        address = (self.endpoint.base_url or home_of("anthropic")).rstrip("/").removesuffix("/v1")
        return kept("anthropic", address, key, partial(_client, address, key))

    def _send(self, key: str, prompt: Prompt, limits: Limits) -> Answered:
        body, client = self._body(prompt, limits), self._sdk(key)
        response = client.post("/v1/messages", body=body, cast_to=httpx2.Response, options={"timeout": limits.timeout_s})
        return Answered(response.content, response.headers.get("request-id", ""))

    def _body(self, prompt: Prompt, limits: Limits) -> dict[str, Any]:
        return {
            "model": self.endpoint.model_id,
            "max_tokens": limits.max_tokens,
            "system": instructions(prompt.system, prompt.schema, self.endpoint.structured),
            "messages": [{"role": turn.role, "content": turn.text} for turn in prompt.turns],
            **({} if limits.temperature is None else {"temperature": limits.temperature}),
            **self._form(prompt),
        }

    def _form(self, prompt: Prompt) -> dict[str, Any]:
        """How the answer is held to its shape, and how long may be thought about it."""
        config: dict[str, Any] = {"effort": self.endpoint.effort} if self.endpoint.effort else {}
        if self.endpoint.structured == "strict_schema":
            config["format"] = {"type": "json_schema", "schema": prompt.schema}
        form: dict[str, Any] = {"output_config": config} if config else {}
        if self.endpoint.structured == "json_schema":
            form["tools"] = [{"name": _TOOL, "description": "Gives your answer.", "input_schema": prompt.schema}]
            form["tool_choice"] = {"type": "tool", "name": _TOOL, "disable_parallel_tool_use": True}
        return form

    def _trouble(self, error: Exception) -> Trouble:
        if isinstance(error, anthropic.APIStatusError):
            return stainless.trouble(error)
        raise stainless.broken_line(error.__cause__)

    def _read(self, answered: Answered) -> Reply:
        message = answered.as_(_Message)
        usage = message.usage or _Usage()
        return Reply(
            text=message.text,
            finish_reason=_FINISH.get(message.stop_reason or "end_turn", message.stop_reason or "stop"),
            refusal=message.refusal,
            model_version=message.model,
            request_id=answered.request_id,
            tokens_in=usage.tokens_in,
            tokens_cached=usage.cache_read_input_tokens,
            tokens_out=usage.output_tokens,
        )


def _client(address: str, key: str, pool: httpx2.Client) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=address, api_key=key, max_retries=0, http_client=pool)
