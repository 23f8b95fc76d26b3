"""The claim on a whole signal for one stage: a lease taken by compare-and-set, counted before the work starts."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from audit.services import bury
from core import telemetry
from core.errors import Permanent
from core.prepared import columns, made, row
from core.retry import PATIENT, Policy, as_known
from signals.lifecycle import DUE, FIRST_LOOK, advance
from signals.models import Signal, Status

LEASE = timedelta(seconds=20)
MOST_CLAIMS = 3

# IS TRUE keeps it off the index over status, where PostgreSQL expects nobody to wait and after an outage would read all who do.
# One statement: whoever updates the row holds the lease; a lease that ran out with too many starts behind it marks a poison signal.
_CLAIM = """
UPDATE signals_signal
   SET claims = claims + 1, lease_until = now() + %(lease)s, next_attempt_at = now() + %(lease)s
 WHERE id = %(id)s AND (status = %(status)s) IS TRUE
   AND (lease_until IS NULL OR lease_until < now())
   AND (not_before IS NULL OR not_before <= now())
RETURNING {columns}
""".format(columns=", ".join(columns(Signal)))


@dataclass
class SignalClaim:
    """A leased signal. Three `claims` that ended neither well nor in a sorted error: its work kills workers."""

    signal: Signal
    stage: str
    tries: int
    policy: Policy = PATIENT

    def retry(self, after: float, error: Exception) -> None:
        """Owed again in `after` seconds; the sweep sends it."""
        due = Now() + timedelta(seconds=after)
        self._here().update(
            attempts=F("attempts") + 1, claims=0, lease_until=None, not_before=due, next_attempt_at=due, dispatches=0
        )

    def release(self) -> None:
        """There was nothing to do after all: the start does not count, and anybody may look again."""
        self._here().update(claims=F("claims") - 1, lease_until=None, next_attempt_at=Now() + FIRST_LOOK)

    def reject(self, error: Exception) -> None:
        """Status rejected, with the numbers."""
        known = as_known(error)
        rejection = {"code": known.code, "detail": known.detail, **known.facts}
        with transaction.atomic():
            if advance(self.signal, Status.REJECTED, details=rejection, rejection=rejection):
                telemetry.signals_rejected.labels(reason=known.code).inc()

    def bury(self, error: Exception) -> None:
        """Status dlq and a dead letter, one transaction."""
        origin = self.signal.status
        with transaction.atomic():
            if advance(self.signal, Status.DLQ, details={"stage": self.stage, "code": as_known(error).code}, buried_from=origin):
                bury(self.signal.pk, self.stage, error, attempts=self.tries + 1, payload=facts(self.signal))

    def _here(self) -> Any:
        return Signal.objects.filter(pk=self.signal.pk, status=self.signal.status, evaluation=self.signal.evaluation)


def claim(event_id: str | UUID, stage: str) -> SignalClaim | None:
    """The signal leased for this stage, or None: not due here, held by another worker, waiting for its retry time, or poison."""
    found = row(_CLAIM, {"id": event_id, "status": DUE[stage], "lease": LEASE})
    if found is None:
        return None
    signal = made(Signal, found)
    held = SignalClaim(signal, stage, signal.attempts)
    if signal.claims > MOST_CLAIMS:
        held.bury(Permanent("worker_lost", f"The work was started {MOST_CLAIMS} times and never ended."))
        return None
    return held


def facts(signal: Signal) -> dict[str, Any]:
    """The signal as a dead letter keeps it: whole, JSON-safe."""
    sent = ("event_type", "symbol", "signal_direction", "entry_price", "size", "liquidation_price", "ts_utc", "source")
    kept = ("feature_profile", "caller", "idempotency_key", "fingerprint")
    whole = {name: None if (value := getattr(signal, name)) is None else str(value) for name in (*sent, *kept)}
    return {**whole, "metadata": signal.metadata, "evaluation": signal.evaluation}
