"""Is this installation fit to take and to judge signals? Each dependency asked, each answer plain."""

from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection

from access import throttling
from console.migrated import migrated
from core import telemetry
from core.broker import queue_depths
from core.clock import iso, now
from core.counting import forget_the_dead
from publishing.models import StreamHead
from publishing.webhooks import selectors as webhooks
from signals.hooks.selectors import silent_sources
from signals.selectors import overdue, pulses

WORKERS = ("worker-core", "worker-evaluate")
SILENT_AFTER = timedelta(seconds=15)
SWEEP_LATE_AFTER = timedelta(seconds=30)


def ingest_ready() -> tuple[bool, dict[str, Any]]:
    """Only what taking a signal needs: PostgreSQL, with every migration applied."""
    postgres = _postgres()
    dependencies = {"postgres": postgres, "migrations": _migrations() if postgres == "ok" else "unknown"}
    return all(state == "ok" for state in dependencies.values()), _report(dependencies, {})


def ready() -> tuple[bool, dict[str, Any]]:
    """Everything a signal needs on its way; False when one of them fails."""
    depths = queue_depths()
    dependencies = {"postgres": _postgres(), "redis": "ok" if depths is not None else "unreachable", **_alive()}
    report = _report(dependencies, depths or {})
    # States to know of, not faults: a limiter on its own still limits, and without a courier frames wait in the log.
    report["dependencies"]["limiter"] = throttling.state()
    report["dependencies"]["webhooks"] = _webhooks()
    return report["status"] == "ready", report


def refresh_gauges() -> None:
    """Gauges that are read rather than counted, brought up to date before a scrape. What is away is left unset."""
    forget_the_dead()
    for queue, depth in (queue_depths() or {}).items():
        telemetry.queue_depth.labels(queue=queue).set(depth)
    try:
        head = StreamHead.objects.first()
        telemetry.stream_head.set(head.last_seq if head else 0)
        telemetry.signals_stalled.set(overdue().count())
        telemetry.sources_silent.set(silent_sources().count())
        standing = webhooks.standing()
        telemetry.webhook_lag.set(standing.lag)
        telemetry.webhooks_disabled.set(standing.disabled)
        at, _ = pulses().get("sweep", (None, {}))
    except DatabaseError:
        return
    if at is not None:
        telemetry.sweep_age.set((now() - at).total_seconds())


def _report(dependencies: dict[str, str], queues: dict[str, int]) -> dict[str, Any]:
    fit = all(state == "ok" for state in dependencies.values())
    return {"status": "ready" if fit else "not_ready", "dependencies": dependencies, "queues": queues, "timestamp": iso(now())}


def _postgres() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "unreachable"
    return "ok"


def _migrations() -> str:
    try:
        return "ok" if migrated() else "pending"
    except DatabaseError:
        return "unknown"


def _alive() -> dict[str, str]:
    """Workers and sweep by their pulse in the database."""
    try:
        seen = pulses()
    except DatabaseError:
        return {"worker": "unknown", "sweep": "unknown"}
    silent = [name for name in WORKERS if not _since(seen, name, SILENT_AFTER)]
    swept = _since(seen, "sweep", SWEEP_LATE_AFTER)
    return {"worker": f"silent: {', '.join(silent)}" if silent else "ok", "sweep": "ok" if swept else "late"}


def _webhooks() -> str:
    """Whether what active endpoints are owed is being sent."""
    try:
        if not webhooks.standing().active:
            return "unused"
        return "ok" if _since(pulses(), "webhooks", SILENT_AFTER) else "silent"
    except DatabaseError:
        return "unknown"


def _since(seen: dict[str, tuple[datetime, dict[str, Any]]], name: str, within: timedelta) -> bool:
    return name in seen and now() - seen[name][0] < within
