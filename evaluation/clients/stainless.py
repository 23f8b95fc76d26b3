"""Errors of the SDKs that one generator makes for several vendors (OpenAI, Anthropic): the same members under different names."""

from typing import Any, Protocol

import httpx2

from core.errors import Transient
from core.http import wait_wished
from evaluation.clients.taxonomy import Trouble


class StatusError(Protocol):
    """What their errors with a status carry."""

    status_code: int
    response: httpx2.Response
    request_id: str | None
    body: object | None


def trouble(error: StatusError) -> Trouble:
    """The error in common terms; `body` is the vendor's whole JSON or the `error` inside it."""
    body: dict[str, Any] = error.body if isinstance(error.body, dict) else {}
    inner = body.get("error")
    told = inner if isinstance(inner, dict) else body
    return Trouble(
        status=error.status_code,
        words=frozenset(word for word in (told.get("code"), told.get("type")) if isinstance(word, str)),
        message=str(told.get("message") or told.get("code") or ""),
        retry_after=wait_wished(error.response.headers),
        request_id=error.request_id or "",
    )


def broken_line(error: Exception, *, late: bool) -> Transient:
    """No answer at all: the deadline passed, or the connection failed."""
    if late:
        return Transient("timeout", "The model did not answer in time.")
    return Transient("provider_down", "The connection to the model failed.", cause=type(error.__cause__).__name__)
