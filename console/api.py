"""What shows several storeys at once: a signal with everything that became of it; health, readiness, metrics."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django_prometheus.exports import ExportToDjangoView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.models import Scope
from access.services import Caller
from console import detail, readiness
from core.broker import queue_depths
from core.problem import Problem, problem_response
from signals.models import Signal
from signals.selectors import by_id


class EventView(APIView):
    """`GET /api/v1/events/{event_id}`, alias `/signals/{event_id}`."""

    required_scope = Scope.EVENTS_READ

    def get(self, request: Request, event_id: UUID) -> Response:
        """The signal whole: fields, timeline, enrichment, decisions, verdict."""
        wanted = request.query_params.get("expand", "").split(",")
        return Response(detail.whole(_visible(request, event_id), with_payload="payload" in wanted))


class EventStatusView(APIView):
    """`GET /api/v1/events/{event_id}/status`."""

    required_scope = Scope.EVENTS_READ

    def get(self, request: Request, event_id: UUID) -> Response:
        """Where the signal stands and how long it took so far."""
        return Response(detail.standing(_visible(request, event_id)))


class QueueDepthView(APIView):
    """`GET /api/v1/queue/depth`."""

    required_scope = Scope.EVENTS_READ

    def get(self, _: Request) -> Response:
        """Messages waiting by queue."""
        depths = queue_depths()
        if depths is None:
            raise Problem("unavailable", "The broker did not answer.")
        return Response({"queues": depths})


def health(_: HttpRequest) -> JsonResponse:
    """The process answers; nothing else is asked."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """200 or 503 with each dependency's state; `?role=ingest` asks only for what taking a signal needs."""
    fit, report = readiness.ingest_ready() if request.GET.get("role") == "ingest" else readiness.ready()
    return JsonResponse(report, status=200 if fit else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text, counts of every process of this installation."""
    readiness.refresh_gauges()
    answer: HttpResponse = ExportToDjangoView(request)
    return answer


def unknown_address(request: HttpRequest, **_: Any) -> JsonResponse:
    """404 as a problem for everything under `/api/` that is no address of ours."""
    return problem_response("not_found", "No such address.", request)


def _visible(request: Request, event_id: UUID) -> Signal:
    """The signal, if it exists and is this caller's business; otherwise 404, so that nobody learns of others' ids."""
    caller: Any = request.user
    signal = by_id(event_id)
    if signal is None or not (isinstance(caller, Caller) and caller.sees(signal.source)):
        raise Problem("not_found", "No such event.")
    return signal
