"""The life of a signal: which moves exist, which stage is due where. `advance` is the only writer of status.

           ┌──────────▶ rejected            (a result: too old, drifted, refused by policy)
queued ──▶ enriched ──▶ evaluated ──▶ published
   └───────────┴────────────┴──▶ dlq ──▶ back to where it was   (requeue)
                                  └────▶ failed                 (discarded by a person)
published ──▶ enriched                                           (judged again, in a new round)
"""

import json
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet, Value
from django.db.models.functions import Coalesce, Now
from django.db.models.sql import UpdateQuery

from audit.services import RECORD_EACH
from core.crashpoints import crashpoint
from signals.models import Signal, Status

FIRST_LOOK = timedelta(seconds=5)

NEXT: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.ENRICHED, Status.REJECTED, Status.DLQ}),
    Status.ENRICHED: frozenset({Status.EVALUATED, Status.REJECTED, Status.DLQ}),
    Status.EVALUATED: frozenset({Status.PUBLISHED, Status.DLQ}),
    Status.PUBLISHED: frozenset({Status.ENRICHED}),
    Status.REJECTED: frozenset(),
    Status.DLQ: frozenset({Status.QUEUED, Status.ENRICHED, Status.EVALUATED, Status.FAILED}),
    Status.FAILED: frozenset(),
}
DUE: dict[str, Status] = {
    "enrich": Status.QUEUED,
    "evaluate": Status.ENRICHED,
    "conclude": Status.ENRICHED,
    "publish": Status.EVALUATED,
}
# After these nothing is owed; after rejected and dlq the verdict frame still is, at once.
SETTLED = frozenset({Status.PUBLISHED, Status.FAILED})
UNHEARD = frozenset({Status.REJECTED, Status.DLQ})


class ImpossibleMoveError(Exception):
    """The code asked for a move the table does not have."""


def advance(signal: Signal, to: Status, *, details: dict[str, Any] | None = None, **columns: Any) -> bool:
    """Move the signal if it still stands where this worker saw it; the timeline row is written in the same transaction.

    Call it first inside `transaction.atomic()` and write other rows only if it returned True: False means another worker was
    first. `columns` are set together with the status; a time for the
    next look may be among them. On success `signal` carries the new status.
    """
    if to not in NEXT[Status(signal.status)]:
        raise ImpossibleMoveError(f"{signal.status} → {to}")
    if not connection.in_atomic_block:
        raise ImpossibleMoveError("advance needs a transaction of its caller")
    # By its id alone: the index over status looks shorter to PostgreSQL, and after an outage would be read whole (see claims).
    stands = Signal.objects.alias(stands=Coalesce("status", Value("")))
    here = stands.filter(pk=signal.pk, stands=signal.status, evaluation=signal.evaluation)
    if not _moved(here, {"status": to, **_fresh_clockwork(to), **columns}, details):
        return False
    crashpoint(f"advance.{to}")
    signal.status = to
    return True


def _moved(here: QuerySet[Signal], columns: dict[str, Any], details: dict[str, Any] | None) -> bool:
    """Update the row and write its timeline entry, in one statement."""
    query: Any = here.query.chain(UpdateQuery)
    query.add_update_values(columns)
    update, values = query.get_compiler(here.db).as_sql()
    entry = [str(columns["status"]), json.dumps(details or {})]
    with connection.cursor() as cursor:
        cursor.execute(f"WITH moved AS ({update} RETURNING id) {RECORD_EACH.format(rows='moved')}", [*values, *entry])
        return bool(cursor.rowcount)


def _fresh_clockwork(to: Status) -> dict[str, Any]:
    """What the sweep reads: a new stage starts with no lease, no failures, and a first look after five seconds."""
    owed_at = None if to in SETTLED else Now() if to in UNHEARD else Now() + FIRST_LOOK
    return {"next_attempt_at": owed_at, "not_before": None, "lease_until": None, "claims": 0, "attempts": 0, "dispatches": 0}
