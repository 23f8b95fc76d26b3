"""System health: what every part says of itself, asked anew every few seconds."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from audit.models import DeadLetter
from console import readiness
from console.clients import open_sockets
from console.health import health_of
from console.pages.viewing import PageView
from core.clock import now
from evaluation.models import EvaluationModel
from publishing import selectors as stream
from publishing.positions import lags
from signals.hooks.selectors import silent_sources
from signals.selectors import overdue, pulses

MOST_REASONS = 8
MOST_READERS = 20


class SystemView(PageView):
    """`GET /system`."""

    template = "console/system.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Without PostgreSQL there is no session to look with, so everything here may ask it."""
        return render(request, self.template, _seen())


class SystemNowView(SystemView):
    """`GET /system/now`: the part of the page that changes."""

    template = "console/parts/system.html"


def _seen() -> dict[str, Any]:
    fit, report = readiness.ready()
    here = now()
    late = overdue().aggregate(count=Count("pk"), oldest=Min("next_attempt_at"))
    models = list(EvaluationModel.objects.all())
    health = health_of([model.name for model in models])
    log = stream.log()
    return {
        "fit": fit,
        "report": report,
        "pulses": [
            {"name": name, "age": _age(at, here), "late": here - at > _allowed(name), "details": details}
            for name, (at, details) in sorted(pulses().items())
        ],
        "overdue": {"count": late["count"], "oldest": _age(late["oldest"], here)},
        "log": log,
        "kept": log.head - log.horizon,
        "clients": open_sockets(),
        "readers": lags()[:MOST_READERS],
        "letters": _open_letters(),
        "models": [(model, health[model.name]) for model in models],
        "silent": silent_sources(),
        "at": here,
    }


def _allowed(name: str) -> timedelta:
    return readiness.SWEEP_LATE_AFTER if name == "sweep" else readiness.SILENT_AFTER


def _age(at: datetime | None, here: datetime) -> float | None:
    """In milliseconds, never below zero: the database's clock may be a little ahead."""
    return None if at is None else max((here - at).total_seconds() * 1000, 0)


def _open_letters() -> list[dict[str, Any]]:
    """Open dead letters by stage and reason, the most frequent first."""
    waiting = DeadLetter.objects.filter(status=DeadLetter.Status.OPEN).order_by()
    grouped = waiting.values("stage", "reason_code").annotate(count=Count("pk"), newest=Max("created_at"))
    return [dict(row) for row in grouped.order_by("-count")[:MOST_REASONS]]
