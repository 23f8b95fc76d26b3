"""What is wrong with this installation, and how to mend it. Each check asks one thing and says one sentence."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import httpx2
from django.conf import settings
from django.core.checks import WARNING, run_checks
from django.db import DatabaseError, connection
from django.db.models import Min

from console.readiness import ingest_ready, ready
from core.clock import now
from core.secret import SecretError, secret
from evaluation.models import EvaluationModel
from signals.selectors import overdue

MOST_DRIFT = timedelta(seconds=2)
LEAST_FREE = 0.05
STALLED = timedelta(seconds=60)
State = Literal["ok", "wrong", "down"]

MENDING = {
    "postgres": "Start PostgreSQL, or check DATABASE_URL.",
    "migrations": "Run manage.py migrate.",
    "redis": "Start Redis or Valkey, or check REDIS_URL. Signals are accepted meanwhile and resumed afterwards.",
    "worker": "Start the workers named: celery -A lens_project worker, see docs/operations.md.",
    "sweep": "Start beat or a worker; until then manage.py resume_stalled sends what is owed.",
    "webhooks": "Start the courier: manage.py deliver_webhooks; what is owed is kept meanwhile.",
    "limiter": "Redis is away; each process limits its own share until it is back.",
}
FINE = {"ok", "exact", "unused"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at: fine, wrong, or a dependency that is down; what was seen, and what to do about it."""

    name: str
    state: State
    seen: str
    mend: str = ""


def examine() -> Iterator[Finding]:
    """Every check, in the order in which one thing rests on another."""
    parts = {**ingest_ready()[1]["dependencies"], **ready()[1]["dependencies"]}
    for name, seen in parts.items():
        away: State = "wrong" if name in {"migrations", "limiter"} else "down"
        yield Finding(name, "ok", seen) if seen in FINE else Finding(name, away, seen, MENDING.get(name, ""))
    checks: tuple[Callable[[], Finding], ...] = (_settings, _disk, _venue)
    of_rows: tuple[Callable[[], Finding], ...] = (_clock, _stalled, _keys)
    for check in (*checks, *(of_rows if parts["postgres"] == "ok" else ())):
        try:
            yield check()
        except DatabaseError as error:
            yield Finding(check.__name__.strip("_"), "down", str(error).partition("\n")[0], MENDING["postgres"])


def _settings() -> Finding:
    faults = [f"{fault.id}: {fault.msg}" for fault in run_checks() if fault.level >= WARNING]
    if not faults:
        return Finding("settings", "ok", "no fault")
    return Finding("settings", "wrong", "; ".join(faults), "See docs/operations.md.")


def _disk() -> Finding:
    folder = next(path for path in (settings.LENS.data_dir, *settings.LENS.data_dir.parents) if path.exists())
    usage = shutil.disk_usage(folder)
    seen = f"{usage.free // 2**20} MiB free of {usage.total // 2**20} at {folder}"
    if usage.free >= LEAST_FREE * usage.total:
        return Finding("disk", "ok", seen)
    return Finding("disk", "wrong", seen, "Make room, or shorten LENS_RETENTION_DAYS and run manage.py prune.")


def _venue() -> Finding:
    url = settings.LENS.hyperliquid_url
    try:
        answer = httpx2.post(f"{url}/info", json={"type": "allMids"}, timeout=5)
        answer.raise_for_status()
    except httpx2.HTTPError as error:
        return Finding("venue", "down", f"{url}: {error or type(error).__name__}", "Check the network and LENS_HYPERLIQUID_URL.")
    return Finding("venue", "ok", f"{url} answers")


def _clock() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        drift = abs(cursor.fetchone()[0] - now())
    seen = f"{drift.total_seconds():.2f} s apart from the database's"
    if drift <= MOST_DRIFT:
        return Finding("clock", "ok", seen)
    return Finding("clock", "wrong", seen, "Let both machines keep time by NTP.")


def _stalled() -> Finding:
    late = overdue().filter(next_attempt_at__lt=now() - STALLED)
    oldest, number = late.aggregate(at=Min("next_attempt_at"))["at"], late.count()
    if oldest is None:
        return Finding("stalled", "ok", "no work is overdue by more than a minute")
    seen = f"{number} signals, the longest since {oldest:%Y-%m-%d %H:%M:%S} UTC"
    return Finding("stalled", "wrong", seen, "See that workers run, then manage.py resume_stalled --yes.")


def _keys() -> Finding:
    enabled = EvaluationModel.objects.filter(enabled=True)
    missing = [f"{model.name} wants {model.key_env}" for model in enabled if model.key_env and not _holds(model.key_env)]
    if not enabled:
        return Finding("models", "wrong", "no model is enabled", "Register one: manage.py model add.")
    if not missing:
        return Finding("models", "ok", f"{len(enabled)} with their keys")
    mend = "Set the variables where workers run, or disable the models. This shell's environment was looked at."
    return Finding("models", "wrong", "; ".join(missing), mend)


def _holds(variable: str) -> bool:
    try:
        return bool(secret(variable))
    except SecretError:
        return False
