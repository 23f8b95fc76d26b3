"""Writing the ledger: record what happened, bury what was given up, note what became of it."""

import hashlib
import json
import traceback
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from audit.models import DeadLetter, LetterAct
from core import telemetry
from core.retry import as_known

LONGEST_TRACEBACK = 20_000
ARRIVED = "The signal went through after a retry."
# Every signal writes half a dozen of these: plain SQL costs a third of the ORM's insert.
_RECORD = "INSERT INTO audit_timelineentry (event_id, status, details) VALUES (%s, %s, %s)"
# The same for each row of a statement that has just written them: one commit, one round trip. Takes statuses and details, in arrays
# whose order is the timeline's.
RECORD_EACH = """
INSERT INTO audit_timelineentry (event_id, status, details)
SELECT id, told.status, told.details
  FROM {rows}, unnest(%s::text[], %s::jsonb[]) WITH ORDINALITY AS told(status, details, place) ORDER BY place"""


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
        error_type=_type(error)[:200],
        error_message=known.detail,
        fingerprint=fingerprint(stage, error),
        traceback="".join(traceback.format_exception(error))[-LONGEST_TRACEBACK:],
        payload={**payload, **known.facts},
        attempts=attempts,
    )


def fingerprint(stage: str, error: Exception) -> str:
    """Sixteen hex digits that errors of one cause share: the stage, the code and type, and the functions it came up through.

    Line numbers and messages are left out, so that a new release or another symbol does not make it another cause.
    """
    way = [f"{Path(frame.filename).name}:{frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    return hashlib.sha256("\n".join([stage, as_known(error).code, _type(error), *way]).encode()).hexdigest()[:16]


def mark_requeued(letter_id: UUID, actor: str, note: str) -> bool:
    """Open → requeued, in the caller's transaction. False when somebody was first."""
    moved = DeadLetter.objects.filter(pk=letter_id, status=DeadLetter.Status.OPEN).update(
        status=DeadLetter.Status.REQUEUED, retry_count=F("retry_count") + 1, last_retry_at=Now()
    )
    return moved == 1 and _acted([letter_id], DeadLetter.Status.REQUEUED, actor, note)


def resolve_requeued(event_id: UUID) -> int:
    """The signal arrived after a requeue: its letters are resolved, in the caller's transaction. Returns how many."""
    waiting = DeadLetter.objects.filter(event_id=event_id, status=DeadLetter.Status.REQUEUED)
    arrived = list(waiting.values_list("pk", flat=True))
    if arrived:
        waiting.filter(pk__in=arrived).update(status=DeadLetter.Status.RESOLVED, resolved_at=Now(), resolution_note=ARRIVED)
        _acted(arrived, DeadLetter.Status.RESOLVED, "lens", ARRIVED)
    return len(arrived)


def close(letter_id: UUID, status: DeadLetter.Status, *, actor: str, note: str) -> bool:
    """Resolve or discard by a person, in the caller's transaction. False when the letter is already closed."""
    still_open = DeadLetter.objects.filter(pk=letter_id, status__in=[DeadLetter.Status.OPEN, DeadLetter.Status.REQUEUED])
    closed = still_open.update(status=status, resolved_at=Now(), resolved_by=actor, resolution_note=note)
    return closed == 1 and _acted([letter_id], status, actor, note)


def _acted(letters: list[UUID], status: DeadLetter.Status, actor: str, note: str) -> bool:
    LetterAct.objects.bulk_create(LetterAct(letter_id=pk, status=status, actor=actor[:150], note=note) for pk in letters)
    return True


def _type(error: Exception) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"
