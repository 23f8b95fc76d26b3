"""Errors reported to Sentry, or what speaks like it (GlitchTip): off unless `LENS_SENTRY_DSN` is set.

What leaves the house is rebuilt from a short list – kind of error, code, place, the signal's and request's ids – so that no request
body, key, prompt, payload or variable can be in it, whatever the library comes to collect. The whole story is in the log and in the
dead letter.
"""

from typing import Any

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.integrations.threading import ThreadingIntegration

from core.errors import LensError
from core.logs import current_ids, redact

_WHAT = ("event_id", "timestamp", "platform", "level", "logger", "environment")
_WHERE = ("filename", "module", "function", "lineno", "in_app")
_OURS = ("access", "audit", "console", "core", "enrichment", "evaluation", "lens_project", "publishing", "signals")


def send_reports(dsn: str, market: str) -> None:
    """Every line logged as an error, and every crash of a process or thread, is reported from now on; in the background."""
    sentry_sdk.init(
        dsn=dsn,
        environment=market,
        # Only these: those for Django, HTTP clients and model SDKs look into requests, prompts and answers.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=None),
            ExcepthookIntegration(),
            ThreadingIntegration(propagate_scope=False),
            DedupeIntegration(),
            AtexitIntegration(callback=lambda _pending, _timeout: None),
        ],
        before_send=bare,
        include_local_variables=False,
        include_source_context=False,
        send_default_pii=False,
        send_client_reports=False,
        auto_session_tracking=False,
        max_breadcrumbs=0,
    )


def bare(event: Any, hint: dict[str, Any]) -> Any:
    """The event made anew from what may leave."""
    error = hint["exc_info"][1] if hint.get("exc_info") else None
    ids = current_ids() | ({"code": error.code} if isinstance(error, LensError) else {})
    return {
        **{name: event[name] for name in _WHAT if name in event},
        "message": _title(event),
        "tags": ids,
        "exception": {"values": [_thrown(value) for value in (event.get("exception") or {}).get("values") or ()]},
    }


def _title(event: Any) -> str:
    """Our own lines are constant sentences; what stands in others' only they know, and their logger's name must do."""
    logger = str(event.get("logger") or "")
    told = str((event.get("logentry") or {}).get("message") or "")
    return redact(told)[:200] if logger.split(".", 1)[0] in _OURS else f"an error told by {logger}" if logger else ""


def _thrown(value: Any) -> dict[str, Any]:
    frames = (value.get("stacktrace") or {}).get("frames") or ()
    places = [{name: frame[name] for name in _WHERE if name in frame} for frame in frames]
    return {"type": value.get("type"), "module": value.get("module"), "value": "", "stacktrace": {"frames": places}}
