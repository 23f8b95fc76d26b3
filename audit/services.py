"""Writing the ledger: record what happened, bury what was given up, note what became of it."""

import json
import traceback
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from audit.models import DeadLetter
from core import telemetry
from core.retry import as_known

LONGEST_TRACEBACK = 20_000
# Every signal writes half a dozen of these: plain SQL costs a third of the ORM's insert.
_RECORD = "INSERT INTO audit_timelineentry (event_id, status, details) VALUES (%s, %s, %s)"
# The same for each row of a statement that has just written them: one commit, one round trip. Takes status and details.
RECORD_EACH = "INSERT INTO audit_timelineentry (event_id, status, details) SELECT id, %s, %s::jsonb FROM {rows}"


def record(event_id: UUID, status: str, details: dict[str, Any] | None = None) -> None:
    """One timeline entry, in the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, [event_id, status, json.dumps(details or {})])


def bury(event_id: UUID, stage: str, error: Exception, *, attempts: int, payload: dict[str, Any]) -> DeadLetter:
    """A dead letter with the error's code, type, message and traceback, in the caller's transaction."""
    known = as_known(error)
    telemetry.dlq_entries.labels(stage=stage, reason=known.code).inc()
    return DeadLetter.objects.create(
        event_id=event_id,
        stage=stage,
        reason_code=known.code[:50],
        error_type=f"{type(error).__module__}.{type(error).__qualname__}"[:200],
        error_message=known.detail,
        traceback="".join(traceback.format_exception(error))[-LONGEST_TRACEBACK:],
        payload={**payload, **known.facts},
        attempts=attempts,
    )


def mark_requeued(letter_id: UUID) -> bool:
    """Open → requeued. False when somebody was first."""
    moved = DeadLetter.objects.filter(pk=letter_id, status=DeadLetter.Status.OPEN).update(
        status=DeadLetter.Status.REQUEUED, retry_count=F("retry_count") + 1, last_retry_at=Now()
    )
    return moved == 1


def resolve_requeued(event_id: UUID) -> int:
    """The signal arrived after a requeue: its letters are resolved. Returns how many."""
    waiting = DeadLetter.objects.filter(event_id=event_id, status=DeadLetter.Status.REQUEUED)
    return waiting.update(
        status=DeadLetter.Status.RESOLVED, resolved_at=Now(), resolution_note="The signal went through after a retry."
    )


def close(letter_id: UUID, status: DeadLetter.Status, *, actor: str, note: str) -> bool:
    """Resolve or discard by a person. False when the letter is already closed."""
    still_open = DeadLetter.objects.filter(pk=letter_id, status__in=[DeadLetter.Status.OPEN, DeadLetter.Status.REQUEUED])
    return still_open.update(status=status, resolved_at=Now(), resolved_by=actor, resolution_note=note) == 1
