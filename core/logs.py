"""JSON logs: one line per event, with the ids that tie it to a signal and a request. Keys, tokens and prompts are never logged."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest, HttpResponse
from pythonjsonlogger.json import JsonFormatter

from core.ids import uuid7

_context: ContextVar[dict[str, str] | None] = ContextVar("log_context", default=None)
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_SECRET = re.compile(
    r"""((?:lens|lenshook)_[a-z0-9]{8}_)[\w-]+|((?:Bearer|x-api-key:?)\s+)[^\s"'\\]+|(/hooks/[a-z]+/)[^\s"'\\/?]+|(whsec_)[\w+/=-]+""",
    re.IGNORECASE,
)


@contextmanager
def log_context(**ids: str) -> Iterator[None]:
    """Log lines written inside carry these ids (`event_id`, `stage`, `model`, `request_id`)."""
    token = _context.set({**(_context.get() or {}), **ids})
    try:
        yield
    finally:
        _context.reset(token)


def current_ids() -> dict[str, str]:
    """The ids in force here."""
    return dict(_context.get() or {})


class ContextFilter(logging.Filter):
    """Adds the ids in force and blots out anything shaped like a key."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in current_ids().items():
            setattr(record, name, value)
        record.msg = redact(record.getMessage())
        record.args = ()
        return True


def redact(text: str) -> str:
    """The text with API keys, bearer tokens, webhook secrets and the secrets in hooks' addresses blotted out."""
    return _SECRET.sub(r"\1\2\3\4…", text)


class RedactedFormatter(JsonFormatter):
    """The finished line is looked at once more: extras, the repr of a request and tracebacks can hold a secret too."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def logging_config(level: str) -> dict[str, Any]:
    """A dictConfig: everything as JSON lines on standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"context": {"()": "core.logs.ContextFilter"}},
        "formatters": {
            "json": {
                "()": "core.logs.RedactedFormatter",
                "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
                "rename_fields": {"asctime": "timestamp", "levelname": "level", "name": "logger"},
                "datefmt": "%Y-%m-%dT%H:%M:%S%z",
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["context"]}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # SDK and transport debug lines can print headers.
            "openai": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
            "httpcore2": {"level": "WARNING"},
            "google_genai": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
            # A traceback for each second that Redis is away, in every process; /ready and lens_stream_wakeups_lost_total say it.
            "channels_redis": {"level": "CRITICAL"},
            # Two lines a task say what the timeline says better.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
        },
    }


class RequestIdMiddleware:
    """Takes a sane `X-Request-ID` or makes one; logs and the answer carry it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = request_id_of(request)
        with log_context(request_id=request_id):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


def request_id_of(request: HttpRequest) -> str:
    """The id of this request: the caller's when sane, else ours; the same at every call."""
    if "lens.request_id" not in request.META:
        offered = request.META.get("HTTP_X_REQUEST_ID", "")
        request.META["lens.request_id"] = offered if _SANE_ID.fullmatch(offered) else str(uuid7())
    return str(request.META["lens.request_id"])
