"""The life of a signal: which moves exist, which stage is due where. `advance` is the only writer of status.

           ┌──────────▶ rejected            (a result: too old, drifted, refused by policy)
queued ──▶ enriched ──▶ evaluated ──▶ published
   └───────────┴────────────┴──▶ dlq ──▶ back to where it was   (requeue)
                                  └────▶ failed                 (discarded by a person)
published ──▶ enriched                                           (judged again, in a new round)
"""

import json
from datetime import timedelta
from functools import cache
from typing import Any

from django.db import connection

from audit.services import RECORD_EACH
from core.clock import ZERO
from core.crashpoints import crashpoint
from core.prepared import run, stored
from signals.models import Signal, Status

FIRST_LOOK = timedelta(seconds=5)

Details = dict[str, Any] | None
# A stage, and what its timeline entry says.
Told = tuple[Status, Details]

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


def advance(signal: Signal, to: Status, *, through: Told | None = None, details: Details = None, **columns: Any) -> bool:
    """Move the signal if it still stands where this worker saw it; the timeline rows are written in the same transaction.

    Call it first inside `transaction.atomic()` and write other rows only if it returned True: False means another worker was
    first. `columns` are set together with the status; for a time, say how long from now (`ZERO`: at once). `through` is a stage
    in which nothing remains to be done, with its own details: it is on the timeline and never seen. On success `signal` carries
    the new status.
    """
    told = [*([through] if through else []), (to, details)]
    here = Status(signal.status)
    for there, _ in told:
        if there not in NEXT[here]:
            raise ImpossibleMoveError(f"{here} → {there}")
        here = there
    if not connection.in_atomic_block:
        raise ImpossibleMoveError("advance needs a transaction of its caller")
    if not _moved(signal, {"status": to, **_fresh_clockwork(to), **columns}, told):
        return False
    for there, _ in told:
        crashpoint(f"advance.{there}")
    signal.status = to
    return True


def _moved(signal: Signal, columns: dict[str, Any], told: list[Told]) -> bool:
    """Update the row and write its timeline entries, in one statement."""
    values = [value if isinstance(value, timedelta) else stored(Signal, name, value) for name, value in columns.items()]
    stands = [signal.pk, signal.status, signal.evaluation]
    entries = [[str(status) for status, _ in told], [json.dumps(details or {}) for _, details in told]]
    kinds = ((name, isinstance(value, timedelta)) for name, value in columns.items())
    return run(_move(*kinds), [*values, *stands, *entries]) > 0


@cache
def _move(*columns: tuple[str, bool]) -> str:
    """The statement that sets these columns, some of them to a time counted from now.

    It finds the row by its id alone: the index over status looks shorter to PostgreSQL, and after an outage would be read whole
    (see claims).
    """
    sets = ", ".join(f"{name} = statement_timestamp() + %s" if from_now else f"{name} = %s" for name, from_now in columns)
    return f"""
WITH moved AS (
    UPDATE signals_signal SET {sets}
     WHERE id = %s AND (status = %s) IS TRUE AND evaluation = %s RETURNING id
) {RECORD_EACH.format(rows="moved")}"""  # noqa: S608  nothing but the model's own column names


def _fresh_clockwork(to: Status) -> dict[str, Any]:
    """What the sweep reads: a new stage starts with no lease, no failures, and a first look after five seconds."""
    owed_in = None if to in SETTLED else ZERO if to in UNHEARD else FIRST_LOOK
    return {"next_attempt_at": owed_in, "not_before": None, "lease_until": None, "claims": 0, "attempts": 0, "dispatches": 0}
