"""Chat completions over the OpenAI wire, for OpenAI itself and for those who speak like it.

The SDK carries authentication, errors and connections; the typed layer above them is left out, since it costs twice the CPU of the
call itself. One SDK client per address and key in each process: it is safe for many threads, and made only when first needed, so
that no connection is shared across a fork.
"""

import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

import httpx2
import openai
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.clock import now
from core.errors import LensError, Permanent, Transient
from core.http import bounded_client, deadline
from core.logs import redact
from evaluation.ports import Endpoint, Limits, Prompt, Reply

MOST_CONNECTIONS = 200
LONGEST_MESSAGE = 300
_SECONDS = re.compile(r"\d{1,6}(\.\d+)?")

_clients: dict[tuple[int, str, str], openai.OpenAI] = {}
_making = threading.Lock()


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Message(_Wire):
    content: str | None = None
    refusal: str | None = None


class _Choice(_Wire):
    message: _Message
    finish_reason: str | None = None


class _Usage(_Wire):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(_Wire):
    """The part of a completion that is used."""

    choices: list[_Choice] = Field(min_length=1)
    model: str = ""
    usage: _Usage | None = None


@dataclass(frozen=True)
class OpenAI:
    """OpenAI's own service."""

    endpoint: Endpoint
    home: ClassVar[str] = "https://api.openai.com/v1"
    limit_name: ClassVar[str] = "max_completion_tokens"

    def ask(self, prompt: Prompt, limits: Limits) -> Reply:
        """See ModelClient."""
        key = self._key()
        client = _client(self.endpoint.base_url or self.home, key)
        body = self._body(prompt, limits)
        try:
            with deadline(limits.timeout_s):
                response = client.post(
                    "/chat/completions", body=body, cast_to=httpx2.Response, options={"timeout": limits.timeout_s}
                )
        except openai.APIError as error:
            raise _sorted(error, key) from error
        return _reply(response)

    def _key(self) -> str:
        name = self.endpoint.key_env
        key = os.environ.get(name, "") if name else "none"
        if not key:
            raise Permanent("auth_failed", f"The variable {name} holds no key.")
        return key

    def _body(self, prompt: Prompt, limits: Limits) -> dict[str, Any]:
        turns = [{"role": turn.role, "content": turn.text} for turn in prompt.turns]
        schema = {"name": "answer", "strict": True, "schema": prompt.schema}
        sampling = {} if limits.temperature is None else {"temperature": limits.temperature}
        return {
            "model": self.endpoint.model_id,
            "messages": [{"role": "system", "content": prompt.system}, *turns],
            self.limit_name: limits.max_tokens,
            "response_format": {"type": "json_schema", "json_schema": schema},
            **sampling,
        }


@dataclass(frozen=True)
class OpenAICompatible(OpenAI):
    """Anyone else who speaks this wire, at a base URL of their own; without a key variable no key is needed."""

    limit_name: ClassVar[str] = "max_tokens"


def _client(base_url: str, key: str) -> openai.OpenAI:
    place = (os.getpid(), base_url, key)
    if place not in _clients:
        with _making:
            if place not in _clients:
                _clients[place] = openai.OpenAI(
                    base_url=base_url, api_key=key, max_retries=0, http_client=bounded_client(MOST_CONNECTIONS, timeout=None)
                )
    return _clients[place]


def _reply(response: httpx2.Response) -> Reply:
    try:
        completion = _Completion.model_validate_json(response.content)
    except ValidationError as error:
        # The call was answered and probably billed: not asked again.
        raise Permanent("bad_reply", "The reply is not a chat completion.") from error
    choice, usage = completion.choices[0], completion.usage or _Usage()
    return Reply(
        text=choice.message.content or "",
        finish_reason=choice.finish_reason or "stop",
        refusal=choice.message.refusal,
        model_version=completion.model,
        request_id=response.headers.get("x-request-id", ""),
        tokens_in=usage.prompt_tokens,
        tokens_out=usage.completion_tokens,
    )


# Status → (code, whether trying again may help). What is not listed: 5xx is the provider's trouble, other 4xx ours.
_STATUS: Mapping[int, tuple[str, bool]] = {
    401: ("auth_failed", False),
    402: ("insufficient_quota", False),
    403: ("auth_failed", False),
    404: ("model_not_found", False),
    408: ("timeout", True),
    409: ("provider_down", True),
    425: ("provider_down", True),
    429: ("rate_limited", True),
}


def _sorted(error: openai.APIError, key: str) -> LensError:
    """The SDK's error as one that says what follows from it."""
    if isinstance(error, openai.APITimeoutError):
        return Transient("timeout", "The model did not answer in time.")
    if not isinstance(error, openai.APIStatusError):
        return Transient("provider_down", "The connection to the model failed.", cause=type(error.__cause__).__name__)
    status = error.status_code
    code, passing = _STATUS.get(status, ("provider_down", True) if status >= 500 else ("bad_request", False))
    if "insufficient_quota" in (error.code, error.type):
        code, passing = "insufficient_quota", False
    detail = f"HTTP {status}" if code == "auth_failed" else f"HTTP {status}: {_message(error, key)}"
    facts = {"http_status": status, "request_id": error.request_id or ""}
    if passing:
        return Transient(code, detail, retry_after=_retry_after(error.response.headers), **facts)
    return Permanent(code, detail, **facts)


def _message(error: openai.APIStatusError, key: str) -> str:
    """The vendor's own words, short and without the key."""
    said = error.body.get("message") if isinstance(error.body, dict) else None
    return redact(str(said or error.code or "no message").replace(key, "…")[:LONGEST_MESSAGE])


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The wish in `Retry-After`, seconds or a date; None when absent or unreadable."""
    wish = headers.get("retry-after", "")
    try:
        wait = float(wish) if _SECONDS.fullmatch(wish) else (parsedate_to_datetime(wish) - now()).total_seconds()
    except (ValueError, TypeError):
        return None
    return max(wait, 0.0)
