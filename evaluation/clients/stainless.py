"""Errors of the SDKs that one generator makes for several vendors (OpenAI, Anthropic): the same members under different names."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import httpx2

from core.errors import LensError, Transient
from core.http import wait_wished
from evaluation.clients.taxonomy import Trouble
from evaluation.ports import Unanswered

_DETAILS: Final[Mapping[str, str]] = {
    "timeout": "The model did not answer in time.",
    "provider_down": "The connection to the model failed.",
}
# How a connection fails before the vendor has the question: asking again costs nothing.
_NEVER_ASKED: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
)


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


def broken_line(cause: BaseException | None) -> LensError:
    """No answer at all, by the transport's error: the deadline passed, or the connection failed. Once the vendor may have the
    question, nobody knows whether it will be billed."""
    code = "timeout" if isinstance(cause, httpx2.TimeoutException) else "provider_down"
    if isinstance(cause, httpx2.TransportError) and not isinstance(cause, _NEVER_ASKED):
        return Unanswered(code, _DETAILS[code], cause=type(cause).__name__)
    return Transient(code, _DETAILS[code], cause=type(cause).__name__)
