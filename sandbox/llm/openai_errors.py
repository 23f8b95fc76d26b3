"""OpenAI's error bodies, shared by its two endpoints."""

from collections.abc import Mapping

from aiohttp import web

from sandbox.llm.wire import Failure, Preset, json_answer, token

_SERVER_ERROR = (
    "The server had an error processing your request. Sorry about that! You can retry your request, or contact us through our help "
    "center at help.openai.com if you keep seeing this error. (Please include the request ID {request_id} in your email.)"
)
_ERRORS: Mapping[Preset, tuple[int, str, str | None, str]] = {
    "rate_limit": (
        429,
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached for {model} in organization org-sandbox on requests per min (RPM): Limit 500, Used 500, Requested 1. "
        "Please try again in 120ms. Visit https://platform.openai.com/account/rate-limits to learn more.",
    ),
    "insufficient_quota": (
        429,
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the "
        "docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
    ),
    "overloaded": (503, "server_error", None, "The engine is currently overloaded, please try again later."),
    "auth": (
        401,
        "invalid_request_error",
        "invalid_api_key",
        "Incorrect API key provided: bad*****. You can find your API key at https://platform.openai.com/account/api-keys.",
    ),
    "not_found": (
        404,
        "invalid_request_error",
        "model_not_found",
        "The model `{model}` does not exist or you do not have access to it.",
    ),
    "bad_request": (400, "invalid_request_error", None, "We could not parse the request. Check its fields and try again."),
    "server_error": (500, "server_error", None, _SERVER_ERROR),
}


def headers() -> dict[str, str]:
    """The headers of every OpenAI answer."""
    return {
        "x-request-id": f"req_{token(32).lower()}",
        "openai-version": "2020-10-01",
        "openai-organization": "org-sandbox",
        "openai-processing-ms": "12",
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-remaining-tokens": "29996",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-reset-tokens": "8ms",
    }


def fail(model: str, failure: Failure) -> web.Response:
    """`{"error": {"message", "type", "param", "code"}}` with the status of the preset."""
    status, kind, code, words = _ERRORS[failure.preset]
    sent = headers()
    if failure.preset == "rate_limit":
        sent["x-ratelimit-remaining-requests"] = "0"
    if failure.retry_after is not None:
        sent["retry-after"] = failure.retry_after
    message = failure.message or words.format(model=model, request_id=sent["x-request-id"])
    return json_answer({"error": {"message": message, "type": kind, "param": failure.param, "code": code}}, sent, status)
