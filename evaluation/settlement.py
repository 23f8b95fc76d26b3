"""Writing an evaluation's end: once, fenced by the lease, and never as an exception.

The signal's row is locked first, so that of two models finishing at once the second sees the first: whoever completes the set
knows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from audit.services import record
from core import telemetry
from core.crashpoints import crashpoint
from evaluation.models import Decision, ModelCall
from evaluation.outcomes import Outcome
from signals.models import Signal

# Plain SQL on the hottest path of the house: building the same statements anew costs more than running them.
_LOCK = "SELECT 1 FROM signals_signal WHERE id = %s FOR NO KEY UPDATE"
_SETTLED = "SELECT model FROM evaluation_decision WHERE signal_id = %s AND evaluation = %s AND status <> ''"


@dataclass(frozen=True)
class Lease:
    """The right to settle one decision, until somebody takes it over."""

    decision_id: UUID
    token: UUID
    signal: Signal
    model: str


@dataclass(frozen=True)
class Settled:
    """Whether this worker's outcome was written, and whether every expected model has now answered."""

    written: bool
    completes: bool


def lock(signal: Signal) -> None:
    """Hold the signal's row until the transaction ends; new decisions may still refer to it."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [signal.pk])


def settle(lease: Lease, outcome: Outcome, columns: dict[str, Any], calls: Sequence[ModelCall]) -> Settled:
    """One short transaction: the decision, the calls it cost, the timeline entry.

    When the lease was taken over, only the calls are kept: they were paid for.
    """
    with transaction.atomic():
        lock(lease.signal)
        written = _write(lease, outcome, columns)
        keep(calls)
        completes = written and _settled_models(lease.signal) >= set(lease.signal.expected or [])
    if written:
        count(lease.model, outcome.status)
    crashpoint("evaluate.settled")
    return Settled(written, completes)


def keep(calls: Sequence[ModelCall]) -> None:
    """Store the calls, in the caller's transaction.

    A call that already has its number may be there or not: the commit that numbered it may have been lost on its way back.
    """
    ModelCall.objects.bulk_create(calls, ignore_conflicts=any(call.pk for call in calls))


def note(signal: Signal, model: str, outcome: Outcome) -> None:
    """The timeline entry of one model's end, in the caller's transaction."""
    record(signal.pk, "decision", {"model": model, "status": outcome.status, "decision": outcome.answer["decision"]})


def count(model: str, status: str) -> None:
    """The metric of answers that were none."""
    if status not in {"ok", "repaired"}:
        telemetry.model_errors.labels(model=model, status=status).inc()


def _write(lease: Lease, outcome: Outcome, columns: dict[str, Any]) -> bool:
    ours = Decision.objects.filter(pk=lease.decision_id, lease_token=lease.token, status="")
    if not ours.update(**outcome.columns, **columns, lease_until=None, evaluated_at=Now()):
        return False
    note(lease.signal, lease.model, outcome)
    return True


def _settled_models(signal: Signal) -> set[str]:
    """The models that have answered or abstained in this round."""
    with connection.cursor() as cursor:
        cursor.execute(_SETTLED, [signal.pk, signal.evaluation])
        return {model for (model,) in cursor.fetchall()}
