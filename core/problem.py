"""One error body for everything under `/api/`: RFC 9457 `application/problem+json` with a stable `code`."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from core.logs import request_id_of

logger = logging.getLogger(__name__)

TITLES = {
    "validation_error": (400, "The request is not valid"),
    "malformed_json": (400, "The body is not acceptable JSON"),
    "unauthenticated": (401, "A valid key is required"),
    "forbidden": (403, "This key may not do that"),
    "not_found": (404, "There is nothing here"),
    "method_not_allowed": (405, "This address does not take that method"),
    "conflict": (409, "The thing is not in a state that allows this"),
    "resync": (410, "That position in the stream is gone"),
    "payload_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "Send application/json"),
    "idempotency_key_reused": (422, "This idempotency key was used with another body"),
    "rate_limited": (429, "Too many requests"),
    "internal_error": (500, "Something went wrong here"),
    "unavailable": (503, "Not available just now"),
}
CODES: dict[type[Exception], str] = {
    exceptions.ParseError: "malformed_json",
    exceptions.ValidationError: "validation_error",
    exceptions.NotAuthenticated: "unauthenticated",
    exceptions.AuthenticationFailed: "unauthenticated",
    exceptions.PermissionDenied: "forbidden",
    PermissionDenied: "forbidden",
    exceptions.NotFound: "not_found",
    Http404: "not_found",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.Throttled: "rate_limited",
    RequestDataTooBig: "payload_too_large",
    OperationalError: "unavailable",
    InterfaceError: "unavailable",
}


class Problem(exceptions.APIException):
    """Raise with one of the codes above to answer with that problem."""

    def __init__(self, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, code)
        self.problem_code = code
        self.headers = dict(headers or {})
        self.status_code = TITLES[code][0]


def body(code: str, detail: str, request: HttpRequest, errors: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """The problem document."""
    status, title = TITLES[code]
    return {
        "type": f"urn:lens:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.path,
        "code": code,
        "request_id": request_id_of(request),
        "errors": errors or [],
    }


def problem_response(code: str, detail: str, request: HttpRequest) -> JsonResponse:
    """The same outside DRF: unknown URLs, middleware, error handlers."""
    response = JsonResponse(body(code, detail, request), status=TITLES[code][0], content_type="application/problem+json")
    if code == "unavailable":
        response["Retry-After"] = "5"
    return response


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's hook: every exception of a view becomes a problem; unknown ones are logged whole and answered bare."""
    request: HttpRequest = context["request"]
    code = code_of(error)
    if code == "internal_error":
        logger.error("unhandled error in a view", exc_info=error)
    errors = list(pointers(error.detail)) if isinstance(error, exceptions.ValidationError) else []
    response = Response(body(code, _detail(error, code, errors), request, errors), status=TITLES[code][0])
    response.content_type = "application/problem+json"
    _add_headers(response, error, code)
    return response


def code_of(error: Exception) -> str:
    """The contract's word for an exception."""
    if isinstance(error, Problem):
        return error.problem_code
    return next((code for kind, code in CODES.items() if isinstance(error, kind)), "internal_error")


def pointers(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """DRF's nested validation detail as a flat list of JSON pointers."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from pointers(inner, path if name == "non_field_errors" else f"{path}/{name}")
    elif isinstance(detail, list):
        for inner in detail:
            yield from pointers(inner, path)
    else:
        yield {"pointer": path or "/", "code": str(getattr(detail, "code", "invalid")), "detail": str(detail)}


def _detail(error: Exception, code: str, errors: list[dict[str, str]]) -> str:
    if errors:
        return "; ".join(f"{item['pointer'].lstrip('/') or 'body'}: {item['detail']}" for item in errors[:5])
    if isinstance(error, exceptions.APIException):
        return str(error.detail)
    return TITLES[code][1] + "."


def _add_headers(response: Response, error: Exception, code: str) -> None:
    if code == "unavailable":
        response["Retry-After"] = "5"
    if code == "unauthenticated":
        response["WWW-Authenticate"] = "ApiKey"
    for name, value in error.headers.items() if isinstance(error, Problem) else ():
        response[name] = value
