"""The claim on one model's evaluation: a leased row, written before any money is spent.

Nobody claims ─▶ one upsert wins ─▶ lease (timeout + 5 s) ─▶ settled │ owed again at `not_before` │ lease runs out ─▶ taken over
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction

from audit.services import bury
from core.clock import seconds
from core.ids import uuid7
from core.money import plain_or_none
from core.prepared import columns, made, row
from core.retry import BRIEF, Policy, as_known
from evaluation.fallbacks import fallback_of
from evaluation.models import Decision, EvaluationModel, ModelCall
from evaluation.outcomes import Outcome, failed
from evaluation.prices import total
from evaluation.selectors import deadline_from, on_duty
from evaluation.settlement import Bill, Lease, Tell, postpone, settle
from signals.claims import facts
from signals.models import Signal, Status

LEASE_MARGIN = timedelta(seconds=5)
TO_SETTLE = timedelta(seconds=1)
# For a model that is no longer registered: its claim only writes that down.
BARE_LEASE = timedelta(seconds=10)
MOST_CLAIMS = 3

# One statement finds the signal with its frozen market, decides who asks, and tells the time. The sub-select does not see the row
# being written, hence LEAST: the round began with whichever claim came first. A round that froze no market of its own judges the
# one before it.
_CLAIM = """
WITH due AS (
    SELECT s.*, e.payload AS frozen_payload, e.payload_hash AS frozen_hash
      FROM signals_signal s
      JOIN LATERAL (SELECT payload, payload_hash FROM enrichment_enrichment
                     WHERE signal_id = s.id AND evaluation <= s.evaluation ORDER BY evaluation DESC LIMIT 1) e ON true
     WHERE s.id = %(signal)s AND (s.status = %(status)s) IS TRUE AND s.expected ? %(model)s::text
), won AS (
    INSERT INTO evaluation_decision AS mine (
        id, signal_id, evaluation, model, claims, lease_token, lease_until,
        status, attempts, decision, fallback, reason, answer, original, adjustments,
        prompt_version, prompt_hash, payload_hash, schema_hash, model_meta)
    SELECT %(id)s, due.id, due.evaluation, %(model)s::text, 1, %(token)s, now() + %(lease)s,
        '', 0, '', false, '', '{}', '{}', '[]', '', '', '', '', '{}'
      FROM due
    ON CONFLICT (signal_id, evaluation, model) DO UPDATE
       SET claims = mine.claims + 1, lease_token = EXCLUDED.lease_token, lease_until = EXCLUDED.lease_until
     WHERE mine.status = ''
       AND (mine.lease_until IS NULL OR mine.lease_until < now())
       AND (mine.not_before IS NULL OR mine.not_before <= now())
    RETURNING id, signal_id, evaluation, claims, attempts, claimed_at, lease_until
)
SELECT <columns>, due.frozen_payload, due.frozen_hash, won.id, won.claims, won.attempts, won.lease_until, now(),
       LEAST(won.claimed_at, (SELECT min(d.claimed_at) FROM evaluation_decision d
                               WHERE d.signal_id = won.signal_id AND d.evaluation = won.evaluation))
  FROM due JOIN won ON true
""".replace("<columns>", ", ".join(f"due.{name}" for name in columns(Signal)))


class _Won(NamedTuple):
    """What a claim tells beside the signal."""

    payload: str
    payload_hash: str
    decision_id: UUID
    starts: int
    failures: int
    held_until: datetime
    clock: datetime
    first_claim: datetime


@dataclass
class EvaluationClaim:
    """A leased evaluation. `bill` is what it has cost so far, `outcome` what is to be written once it is known.

    `ends_at` is the round's deadline and `safe_until` the instant from which somebody else may ask this model, less the time to
    settle, both on this process's monotonic clock. After the work, `settled` says that the decision stands
    and was written here, `completes` that it was the last one expected.
    """

    signal: Signal
    payload: str
    payload_hash: str
    model: EvaluationModel | None
    lease: Lease
    tries: int
    claims: int
    ends_at: float
    safe_until: float
    tell: Tell | None = None
    stage: str = "evaluate"
    policy: Policy = BRIEF
    bill: Bill = field(default_factory=Bill)
    columns: dict[str, Any] = field(default_factory=dict)
    outcome: Outcome | None = None
    settled: bool = False
    completes: bool = False

    @property
    def left_s(self) -> float:
        """Seconds until the round ends."""
        return self.ends_at - time.monotonic()

    @property
    def safe_s(self) -> float:
        """Seconds during which a call is this worker's alone."""
        return self.safe_until - time.monotonic()

    @property
    def poisonous(self) -> bool:
        """Whether too many workers have died over this evaluation."""
        return self.claims > MOST_CLAIMS

    def settle(self, outcome: Outcome) -> None:
        """Write the decision and put its frame on the stream, unless somebody has taken it over."""
        self.outcome = outcome
        columns = {**outcome.columns, **self.columns, "model_meta": meta(self.model, outcome, self.bill.calls)}
        ended = settle(self.lease, Decision(pk=self.lease.decision_id, model=self.lease.model, **columns), self.bill, self.tell)
        self.settled, self.completes = ended.written, ended.completes

    def retry(self, after: float, error: Exception) -> None:
        """Owed again in `after` seconds; given up when that is too late. An answer already had is saved, not asked for again."""
        if self.outcome is not None:
            self.settle(self.outcome)
        elif after >= self.left_s:
            self.settle(failed(as_known(error), fallback_of(self.signal)))
        else:
            postpone(self.lease, seconds(after), self.bill, counts=True)

    def wait(self, after: float, error: Exception) -> None:
        """There is no room for the call now: owed again in `after` seconds without counting as a try, or given up as too late."""
        if after >= self.left_s:
            self.settle(failed(as_known(error), fallback_of(self.signal)))
        else:
            postpone(self.lease, seconds(after), self.bill, counts=False)

    def reject(self, error: Exception) -> None:
        """The same as giving up: an evaluation cannot refuse a signal."""
        self.bury(error)

    def bury(self, error: Exception) -> None:
        """The fallback with the status for this error; a bug leaves a dead letter too."""
        known = as_known(error)
        answer = self.outcome if known.code == "database_down" else None
        with transaction.atomic():
            self.settle(answer or failed(known, fallback_of(self.signal)))
            if known.code == "internal_error":
                work = {**facts(self.signal), "model": self.lease.model}
                bury(self.signal.pk, self.stage, error, attempts=self.tries + 1, payload=work)


def claim(event_id: str | UUID, name: str, tell: Tell | None = None) -> EvaluationClaim | None:
    """The evaluation of this signal by this model, leased; None when it is not due, not expected, settled or held elsewhere.

    `tell` is called with the decision inside the transaction that settles it.
    """
    asked_at = time.monotonic()
    model = on_duty(name)
    lease = lease_for(model)
    arguments: dict[str, Any] = {
        "id": uuid7(),
        "signal": event_id,
        "status": Status.ENRICHED,
        "model": name,
        "token": uuid7(),
        "lease": lease,
    }
    found = row(_CLAIM, arguments)
    if found is None:
        return None
    signal, won = made(Signal, found), _Won(*found[-len(_Won._fields) :])
    return EvaluationClaim(
        signal=signal,
        payload=won.payload,
        payload_hash=won.payload_hash,
        model=model,
        lease=Lease(won.decision_id, arguments["token"], won.held_until, signal, name),
        tries=won.failures,
        claims=won.starts,
        ends_at=asked_at + (deadline_from(signal, won.first_claim) - won.clock).total_seconds(),
        safe_until=asked_at + (lease - TO_SETTLE).total_seconds(),
        tell=tell,
        columns={"payload_hash": won.payload_hash},
    )


def lease_for(model: EvaluationModel | None) -> timedelta:
    """How long one evaluation may be worked on before somebody else takes over."""
    return BARE_LEASE if model is None else timedelta(milliseconds=model.timeout_ms) + LEASE_MARGIN


def meta(model: EvaluationModel | None, outcome: Outcome, calls: Sequence[ModelCall] = ()) -> dict[str, Any]:
    """Who was asked and what that took: a decision's `model_meta`, with nulls where nothing is known."""
    return {
        "vendor": model.vendor if model else "",
        "model_name": model.model_id if model else "",
        "model_version": calls[-1].model_version if calls else "",
        "latency_ms": sum(call.latency_ms for call in calls),
        "tokens_in": _sum(call.tokens_in for call in calls),
        "tokens_out": _sum(call.tokens_out for call in calls),
        "tokens_cached": _sum(call.tokens_cached for call in calls),
        "cost_usd": plain_or_none(total([call.cost_usd for call in calls])),
        "status": outcome.status,
        "parse_mode": outcome.parse_mode,
    }


def _sum(figures: Iterable[int | None]) -> int | None:
    """The sum of what is known, None when nothing is."""
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None
