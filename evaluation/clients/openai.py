"""OpenAI, and those who speak like it: chat completions, and Responses where the registry says so.

The SDK carries authentication, errors and connections; the typed layer above them is left out, since it costs twice the CPU of the
call itself.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import httpx2
import openai

from evaluation.clients import stainless
from evaluation.clients.base import Answered, VendorClient
from evaluation.clients.hosts import home_of
from evaluation.clients.kept import kept
from evaluation.clients.openai_wire import chat_body, read_chat, read_responses, responses_body
from evaluation.clients.taxonomy import Trouble
from evaluation.ports import Limits, Prompt, Reply


@dataclass(frozen=True)
class OpenAI(VendorClient):
    """OpenAI's own service."""

    errors = (openai.APIError,)
    limit_name: ClassVar[str] = "max_completion_tokens"

    def _sdk(self, key: str) -> openai.OpenAI:
        address = self.endpoint.base_url or home_of("openai")
        return kept("openai", address, key, partial(_client, address, key))

    def _send(self, key: str, prompt: Prompt, limits: Limits) -> Answered:
        path, body = self._request(prompt, limits)
        response = self._sdk(key).post(path, body=body, cast_to=httpx2.Response, options={"timeout": limits.timeout_s})
        return Answered(response.content, response.headers.get("x-request-id", ""))

    def _request(self, prompt: Prompt, limits: Limits) -> tuple[str, dict[str, Any]]:
        if self.endpoint.api == "responses":
            return "/responses", responses_body(self.endpoint, prompt, limits)
        return "/chat/completions", {**chat_body(self.endpoint, prompt, limits), self.limit_name: limits.max_tokens}

    def _trouble(self, error: Exception) -> Trouble:
        if isinstance(error, openai.APIStatusError):
            return stainless.trouble(error)
        raise stainless.broken_line(error.__cause__)

    def _read(self, answered: Answered) -> Reply:
        return read_responses(answered) if self.endpoint.api == "responses" else read_chat(answered)


@dataclass(frozen=True)
class OpenAICompatible(OpenAI):
    """Anyone else who speaks this wire, at a base URL of their own; without a key variable no key is needed."""

    limit_name: ClassVar[str] = "max_tokens"


def _client(address: str, key: str, pool: httpx2.Client) -> openai.OpenAI:
    return openai.OpenAI(base_url=address, api_key=key, max_retries=0, http_client=pool)
