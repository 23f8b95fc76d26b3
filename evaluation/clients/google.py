"""Gemini: its JSON schema where the model knows one, the older OpenAPI dialect, JSON mode, or the schema in words.

The SDK builds, sends and sorts; the reply is taken from it as bytes and read here, since its own reading costs more than the call.
"""

import re
from dataclasses import dataclass
from functools import partial

import httpx2
from google import genai
from google.genai import errors, types

from evaluation.clients import stainless
from evaluation.clients.base import Answered, VendorClient
from evaluation.clients.google_wire import read_generated, trouble
from evaluation.clients.hosts import home_of
from evaluation.clients.kept import kept
from evaluation.clients.projection import gemini_format, instructions
from evaluation.clients.taxonomy import Trouble
from evaluation.ports import Limits, Prompt, Reply

_VERSION = re.compile(r"/(v1(?:beta|alpha)?)$")


@dataclass(frozen=True)
class Google(VendorClient):
    """The Gemini API, or one that speaks like it; a version at the end of the base URL is heeded, else it is v1beta."""

    # The SDK lets the transport's errors through, and those of a body it cannot decode.
    errors = (errors.APIError, httpx2.HTTPError, ValueError, RecursionError)

    def _sdk(self, key: str) -> genai.Client:
        address = (self.endpoint.base_url or home_of("google")).rstrip("/")
        return kept("google", address, key, partial(_client, address, key))

    def _send(self, key: str, prompt: Prompt, limits: Limits) -> Answered:
        generated = self._sdk(key).models.generate_content(
            model=self.endpoint.model_id,
            contents=[_content(turn.role, turn.text) for turn in prompt.turns],
            config=self._config(prompt, limits),
        )
        response = generated.sdk_http_response or types.HttpResponse()
        headers = response.headers or {}
        return Answered((response.body or "").encode(errors="replace"), headers.get("x-request-id", ""))

    def _config(self, prompt: Prompt, limits: Limits) -> types.GenerateContentConfig:
        config = {
            "should_return_http_response": True,
            "http_options": types.HttpOptions(timeout=max(1, round(limits.timeout_s * 1000))),
            "system_instruction": instructions(prompt.system, prompt.schema, self.endpoint.structured),
            "max_output_tokens": limits.max_tokens,
            "temperature": limits.temperature,
            **gemini_format(prompt.schema, self.endpoint.structured),
        }
        if self.endpoint.effort:
            config["thinking_config"] = {"thinking_level": self.endpoint.effort.upper()}
        return types.GenerateContentConfig.model_validate(config)

    def _trouble(self, error: Exception) -> Trouble:
        if isinstance(error, errors.APIError):
            return trouble(error.code, error.details, getattr(error.response, "headers", None) or {})
        raise stainless.broken_line(error)

    def _read(self, answered: Answered) -> Reply:
        return read_generated(answered)


def _content(role: str, text: str) -> types.Content:
    return types.Content(role="model" if role == "assistant" else role, parts=[types.Part(text=text)])


def _client(address: str, key: str, pool: httpx2.Client) -> genai.Client:
    version = _VERSION.search(address)
    options = types.HttpOptions(
        base_url=_VERSION.sub("", address), api_version=version.group(1) if version else "v1beta", httpx_client=pool
    )
    return genai.Client(api_key=key, vertexai=False, http_options=options)
