"""The two wires of OpenAI: what is sent, and what of the answer is used. Pure."""

from typing import Any

from pydantic import Field

from core.errors import Transient
from evaluation.clients.base import Answered, Count, Wire
from evaluation.clients.projection import instructions, openai_format
from evaluation.clients.taxonomy import Trouble, settled
from evaluation.ports import Endpoint, Limits, Prompt, Reply

# DeepSeek ended the answer for want of machines: nothing is wrong with the prompt.
_STARVED = "insufficient_system_resource"


def chat_body(endpoint: Endpoint, prompt: Prompt, limits: Limits) -> dict[str, Any]:
    """A chat completion's request, but for the token limit, whose name differs."""
    flat = openai_format(prompt.schema, endpoint.structured)
    body = {**_common(endpoint, limits), "messages": _messages(endpoint, prompt)}
    if endpoint.effort:
        body["reasoning_effort"] = endpoint.effort
    if flat is not None:
        rest = {name: part for name, part in flat.items() if name != "type"}
        body["response_format"] = {"type": flat["type"], **({flat["type"]: rest} if rest else {})}
    return body


def responses_body(endpoint: Endpoint, prompt: Prompt, limits: Limits) -> dict[str, Any]:
    """A Responses request. Nothing is stored at the vendor."""
    flat = openai_format(prompt.schema, endpoint.structured)
    return {
        **_common(endpoint, limits),
        "input": _messages(endpoint, prompt),
        "max_output_tokens": limits.max_tokens,
        "store": False,
        **({"reasoning": {"effort": endpoint.effort}} if endpoint.effort else {}),
        **({} if flat is None else {"text": {"format": flat}}),
    }


def _common(endpoint: Endpoint, limits: Limits) -> dict[str, Any]:
    return {"model": endpoint.model_id, **({} if limits.temperature is None else {"temperature": limits.temperature})}


def _messages(endpoint: Endpoint, prompt: Prompt) -> list[dict[str, str]]:
    system = instructions(prompt.system, prompt.schema, endpoint.structured)
    return [{"role": "system", "content": system}, *({"role": turn.role, "content": turn.text} for turn in prompt.turns)]


class _Cached(Wire):
    cached_tokens: Count = None


class _ChatMessage(Wire):
    content: str | None = None
    refusal: str | None = None


class _Choice(Wire):
    message: _ChatMessage
    finish_reason: str | None = None


class _ChatUsage(Wire):
    prompt_tokens: Count = None
    completion_tokens: Count = None
    prompt_tokens_details: _Cached | None = None
    prompt_cache_hit_tokens: Count = None

    @property
    def cached(self) -> int | None:
        """As OpenAI says it, else as DeepSeek does."""
        told = self.prompt_tokens_details or _Cached()
        return self.prompt_cache_hit_tokens if told.cached_tokens is None else told.cached_tokens


class _Completion(Wire):
    choices: list[_Choice] = Field(min_length=1)
    model: str = ""
    usage: _ChatUsage | None = None


def read_chat(answered: Answered) -> Reply:
    """A chat completion. Raises Unreadable."""
    completion = answered.as_(_Completion)
    choice, usage = completion.choices[0], completion.usage or _ChatUsage()
    if choice.finish_reason == _STARVED:
        raise Transient("provider_down", "The provider ran out of machines.", request_id=answered.request_id)
    return Reply(
        text=choice.message.content or "",
        finish_reason=choice.finish_reason or "stop",
        refusal=choice.message.refusal,
        model_version=completion.model,
        request_id=answered.request_id,
        tokens_in=usage.prompt_tokens,
        tokens_cached=usage.cached,
        tokens_out=usage.completion_tokens,
    )


class _Part(Wire):
    type: str = ""
    text: str = ""
    refusal: str | None = None


class _Item(Wire):
    type: str = ""
    content: list[_Part] | None = None


class _Incomplete(Wire):
    reason: str = ""


class _Failed(Wire):
    code: str = ""
    message: str = ""


class _ResponsesUsage(Wire):
    input_tokens: Count = None
    output_tokens: Count = None
    input_tokens_details: _Cached | None = None


class _Response(Wire):
    status: str
    model: str = ""
    output: list[_Item] = []
    incomplete_details: _Incomplete | None = None
    error: _Failed | None = None
    usage: _ResponsesUsage | None = None

    @property
    def parts(self) -> list[_Part]:
        """What was said; what was thought is left out."""
        return [part for item in self.output if item.type == "message" for part in item.content or []]

    @property
    def finish_reason(self) -> str:
        """In the words of chat completions."""
        reason = self.incomplete_details.reason if self.incomplete_details else ""
        return {"": "stop", "max_output_tokens": "length"}.get(reason, reason)


def read_responses(answered: Answered) -> Reply:
    """A response of the Responses interface. Raises Unreadable, and what a failure inside a 200 leads to."""
    response = answered.as_(_Response)
    if response.error is not None:
        trouble = Trouble(500, frozenset({response.error.code}), response.error.message, request_id=answered.request_id)
        return settled(trouble, key="")
    refusals = [part.refusal for part in response.parts if part.refusal is not None]
    usage = response.usage or _ResponsesUsage()
    return Reply(
        text="".join(part.text for part in response.parts),
        finish_reason=response.finish_reason,
        refusal=" ".join(refusals) if refusals else None,
        model_version=response.model,
        request_id=answered.request_id,
        tokens_in=usage.input_tokens,
        tokens_cached=(usage.input_tokens_details or _Cached()).cached_tokens,
        tokens_out=usage.output_tokens,
    )
