"""Probes and metrics: no key, no database unless the question is about it."""

from django.conf import settings
from django.http import HttpResponse
from django_prometheus.exports import ExportToDjangoView
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console import readiness, shapes

INGEST = OpenApiParameter("role", OpenApiTypes.STR, description="`ingest` asks only for what taking a signal needs.")


class ProbeView(APIView):
    """Open to everyone who can reach the port."""

    authentication_classes = ()
    permission_classes = ()


class HealthView(ProbeView):
    """`GET /health`."""

    @extend_schema(summary="The process answers", responses=shapes.Health)
    def get(self, _: Request) -> Response:
        """Nothing else is asked: a failing dependency never gets a process restarted."""
        return Response({"status": "ok"})


class ReadyView(ProbeView):
    """`GET /ready`, `GET /ready?role=ingest`."""

    @extend_schema(summary="Fit for signals", parameters=[INGEST], responses={200: shapes.Readiness, 503: shapes.Readiness})
    def get(self, request: Request) -> Response:
        """200 or 503, with each dependency's state."""
        fit, report = readiness.ingest_ready() if request.query_params.get("role") == "ingest" else readiness.ready()
        return Response(report, status=200 if fit else 503)


class MetricsView(ProbeView):
    """`GET /metrics`."""

    @extend_schema(summary="Prometheus metrics", responses={(200, "text/plain"): OpenApiTypes.STR})
    def get(self, request: Request) -> HttpResponse:
        """Counts of every process of this installation, in Prometheus' text format. 404 when they have a port of their own."""
        if settings.LENS.metrics_port:
            raise NotFound
        readiness.refresh_gauges()
        answer: HttpResponse = ExportToDjangoView(request)
        return answer
