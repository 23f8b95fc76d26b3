"""`manage.py serve_metrics`: the metrics of this machine's processes on a port of their own, away from the public one."""

from collections.abc import Iterable
from typing import Any
from wsgiref.simple_server import make_server

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from console.readiness import refresh_gauges
from core.counting import directory


class Everything(Collector):
    """What every process of this host has counted, and what is read from the servers at the time of asking."""

    def collect(self) -> Iterable[Metric]:
        """One scrape."""
        refresh_gauges()
        close_old_connections()
        found: Iterable[Metric] = MultiProcessCollector(None).collect()  # type: ignore[no-untyped-call]
        return found


class Command(BaseCommand):
    """Serves until it is stopped."""

    help = "Serve /metrics on LENS_METRICS_PORT (or --port)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.LENS.http_host)
        parser.add_argument("--port", type=int, default=settings.LENS.metrics_port)

    def handle(self, *_: Any, **options: Any) -> None:
        if not options["port"]:
            raise CommandError("Set LENS_METRICS_PORT, or give --port.", returncode=2)
        if not directory():
            raise CommandError("PROMETHEUS_MULTIPROC_DIR names no directory: there is nothing to serve.", returncode=2)
        registry = CollectorRegistry()
        registry.register(Everything())
        with make_server(options["host"], options["port"], make_wsgi_app(registry)) as server:
            server.serve_forever()
