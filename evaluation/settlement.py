"""Writing an evaluation's end: once, fenced by the lease, and never as an exception.

The signal's row is locked first, so that of two models finishing at once the second sees the first: whoever completes the set
knows it. One statement then writes the decision, what it cost, its timeline entry, and closes the model's breaker.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Least, Now

from audit.services import RECORD_EACH, record
from core import telemetry
from core.crashpoints import crashpoint
from core.errors import LensError
from core.prepared import row, run
from evaluation import breakers, budget
from evaluation.models import Decision, ModelCall
from evaluation.outcomes import Outcome
from signals.models import Signal, Status

# Plain SQL on the hottest path of the house: building the same statements anew costs more than running them.
_LOCK = "SELECT 1 FROM signals_signal WHERE id = %s FOR NO KEY UPDATE"
_COLUMNS = (
    "attempt",
    "claim",
    "repair",
    "outcome",
    "model_version",
    "request_id",
    "finish_reason",
    "structured",
    "latency_ms",
    "tokens_in",
    "tokens_out",
    "tokens_cached",
    "cost_usd",
    "raw_text",
    "raw_hash",
    "error",
)
# A call that is there already was saved by a commit whose answer was lost on its way back.
_KEEP = f"""
INSERT INTO evaluation_modelcall (decision_id, {", ".join(_COLUMNS)})
SELECT %(id)s, {", ".join(_COLUMNS)} FROM json_populate_recordset(NULL::evaluation_modelcall, %(calls)s)
ON CONFLICT (decision_id, attempt, claim, repair) DO NOTHING RETURNING id"""  # noqa: S608  names of ours
_TEXTS = ("status", "decision", "reason", "prompt_version", "prompt_hash", "payload_hash", "schema_hash")
_DOCUMENTS = ("answer", "original", "adjustments", "model_meta")
_PLAIN = (*_TEXTS, "confidence", "fallback", "ungrounded_ratio")
_SETTLE = f"""
WITH mine AS (
    UPDATE evaluation_decision
       SET {", ".join(f"{name} = %({name})s" for name in _PLAIN + _DOCUMENTS)},
           lease_until = NULL, evaluated_at = statement_timestamp()
     WHERE id = %(id)s AND lease_token = %(token)s AND status = ''
    RETURNING signal_id AS id
), told AS (
    {RECORD_EACH.format(rows="mine") % ("%(entry_status)s", "%(entry_details)s")}
), kept AS ({_KEEP}
), closed AS ({breakers.CLOSE}
)
SELECT EXISTS (SELECT FROM mine), (SELECT count(*) FROM kept),
       ARRAY(SELECT model FROM evaluation_decision WHERE signal_id = %(event_id)s AND evaluation = %(evaluation)s AND status <> '')
"""  # noqa: S608  names of ours

Tell = Callable[[Signal, Decision], object]


@dataclass(frozen=True)
class Lease:
    """The right to settle one decision, until somebody takes it over."""

    decision_id: UUID
    token: UUID
    until: datetime
    signal: Signal
    model: str


@dataclass
class Bill:
    """What an evaluation has cost: its calls, the money set aside for them, and what is to be booked.

    `cost_usd` counts the worst case where a call's own cost is not known. `answered` and `failure` are what the calls say about
    the vendor's health.
    """

    calls: list[ModelCall] = field(default_factory=list)
    hold: budget.Hold | None = None
    cost_usd: Decimal = Decimal(0)
    answered: bool = False
    failure: LensError | None = None


@dataclass(frozen=True)
class Settled:
    """Whether this worker's outcome was written, and whether every expected model has now answered."""

    written: bool
    completes: bool


def lock(signal: Signal) -> None:
    """Hold the signal's row until the transaction ends; new decisions may still refer to it."""
    run(_LOCK, [signal.pk])


def settle(lease: Lease, decision: Decision, bill: Bill, tell: Tell | None) -> Settled:
    """One short transaction: the decision, the calls it cost, the timeline entry, what was spent, and its frame (`tell`).

    When the lease was taken over, only the calls and their cost are kept: they were paid for.
    """
    signal = lease.signal
    with transaction.atomic():
        lock(signal)
        written, kept, settled = _write(lease, decision, bill)
        if kept == len(bill.calls):
            _pay(lease.model, bill)
        if written and tell is not None:
            tell(signal, decision)
    if written:
        count(lease.model, decision.status)
    crashpoint("evaluate.settled")
    return Settled(written, written and {*settled, lease.model} >= set(signal.expected or []))


def postpone(lease: Lease, wait: timedelta, bill: Bill, *, counts: bool) -> None:
    """Owed again after a while; what was paid so far is kept. `counts`: whether it was a failed try, or there was just no room."""
    due = Now() + Value(wait)
    tries = {"attempts": F("attempts") + 1, "claims": 0} if counts else {"claims": F("claims") - 1}
    signal = lease.signal
    with transaction.atomic():
        here = Signal.objects.filter(pk=signal.pk, status=Status.ENRICHED, evaluation=signal.evaluation)
        here.update(next_attempt_at=Least(F("next_attempt_at"), due))
        ours = Decision.objects.filter(pk=lease.decision_id, lease_token=lease.token, status="")
        ours.update(**tries, lease_token=None, lease_until=None, not_before=due)
        if bill.calls:
            run(_KEEP, {"id": lease.decision_id, "calls": _listed(bill.calls)})
        _pay(lease.model, bill)


def note(signal: Signal, model: str, outcome: Outcome) -> None:
    """The timeline entry of one model's end, in the caller's transaction."""
    record(signal.pk, "decision", _entry(model, outcome.status, outcome.answer["decision"]))


def count(model: str, status: str) -> None:
    """The metric of answers that were none."""
    if status not in {"ok", "repaired"}:
        telemetry.model_errors.labels(model=model, status=status).inc()


def _write(lease: Lease, decision: Decision, bill: Bill) -> tuple[bool, int, Sequence[str]]:
    """Whether the decision was ours to write, how many of the calls were not there yet, and the models that answered before."""
    entry = _entry(lease.model, decision.status, decision.decision)
    arguments = {
        **{name: getattr(decision, name) for name in _PLAIN},
        **{name: json.dumps(getattr(decision, name), allow_nan=False) for name in _DOCUMENTS},
        "id": lease.decision_id,
        "token": lease.token,
        "event_id": lease.signal.pk,
        "evaluation": lease.signal.evaluation,
        "entry_status": ["decision"],
        "entry_details": [json.dumps(entry)],
        "calls": _listed(bill.calls),
        "model": lease.model,
        "answered": bill.answered,
    }
    written, kept, settled = row(_SETTLE, arguments)
    return written, kept, settled


def _pay(model: str, bill: Bill) -> None:
    """Book the cost and note a failure of the vendor, in the caller's transaction. Neither is there in most evaluations."""
    if bill.hold is not None:
        budget.settle(bill.hold, bill.cost_usd)
    if bill.failure is not None:
        breakers.failed(model, bill.failure)


def _entry(model: str, status: str, decision: str) -> dict[str, Any]:
    return {"model": model, "status": status, "decision": decision}


def _listed(calls: Sequence[ModelCall]) -> str:
    return json.dumps([{name: getattr(call, name) for name in _COLUMNS} for call in calls], default=str)
