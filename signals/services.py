"""Taking a signal in: one statement stores the signal and its first timeline entry; the same key gives the same signal."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from audit.services import RECORD_EACH
from core import telemetry
from core.canonical import canonical, digest
from core.crashpoints import crashpoint
from core.prepared import row, stored, written
from core.problem import Problem
from signals.lifecycle import FIRST_LOOK
from signals.models import Signal, Source

# Source → what metrics call it.
_known_sources: dict[str, str] = {}
MOST_LABELS = 100
OTHER = "other"
_UNSTORABLE = "The signal could not be stored; send it again."

# Every signal comes through here: one statement in place of a transaction with two, and the unique constraint answers a repeated
# key without an error. What the database fills by itself is left to it.
_WRITTEN = [name for name in written(Signal()) if name != "next_attempt_at"]
_INSERT = """
WITH new AS (
  INSERT INTO signals_signal ({columns}, next_attempt_at) VALUES ({values}, now() + %s)
  ON CONFLICT (caller, idempotency_key) DO NOTHING
  RETURNING id, received_at
), told AS ({entry})
SELECT received_at FROM new
""".format(  # noqa: S608  nothing but the model's own column names
    columns=", ".join(_WRITTEN),
    values=", ".join(["%s"] * len(_WRITTEN)),
    entry=RECORD_EACH.format(rows="new"),
)


@dataclass(frozen=True)
class Submission:
    """A validated signal as its sender meant it: model columns in canonical form."""

    fields: dict[str, Any]
    caller: str
    idempotency_key: str | None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical form without the key: the same order sent twice has the same one."""
        return digest(canonical(self.fields))


def submit(submission: Submission, start: Callable[[str], None]) -> tuple[Signal, bool]:
    """Store the signal, or find the one this key already made; returns it and whether it is new.

    `start(event_id)` is called after the commit and may fail: the sweep finds the row. Raises Problem idempotency_key_reused when
    the key belongs to another body.
    """
    crashpoint("submit.before_save")
    try:
        signal = _insert(submission)
    except IntegrityError as error:
        raise Problem("conflict", _UNSTORABLE) from error
    if signal is None:
        return _replayed(submission), False
    crashpoint("submit.after_save")
    transaction.on_commit(lambda: start(str(signal.pk)), robust=True)
    telemetry.signals_received.labels(source=_known_sources.get(signal.source, OTHER)).inc()
    return signal, True


def _insert(submission: Submission) -> Signal | None:
    """The new row and its timeline entry, in one statement and so in one commit; None when the key is taken."""
    signal = Signal(
        **submission.fields,
        caller=submission.caller,
        idempotency_key=submission.idempotency_key,
        fingerprint=submission.fingerprint,
    )
    with nullcontext() if signal.source in _known_sources else _meeting(signal.source):
        values = [stored(Signal, name, getattr(signal, name)) for name in _WRITTEN]
        new = row(_INSERT, [*values, FIRST_LOOK, ["received"], [json.dumps({"source": signal.source})]])
    if new is None:
        return None
    (signal.received_at,) = new
    return signal


@contextmanager
def _meeting(source: str) -> Iterator[None]:
    """A source appears with its first accepted signal, in one commit with it; those this process has met cost no query."""
    with transaction.atomic():
        yield
        Source.objects.bulk_create([Source(name=source)], ignore_conflicts=True)
        first = Source.objects.order_by("first_seen_at", "name").values_list("name", flat=True)[:MOST_LABELS]
        label = source if source in set(first) else OTHER
        transaction.on_commit(lambda: _known_sources.update({source: label}), robust=True)


def _replayed(submission: Submission) -> Signal:
    found = Signal.objects.filter(caller=submission.caller, idempotency_key=submission.idempotency_key).first()
    if found is None:
        raise Problem("conflict", _UNSTORABLE)
    if found.fingerprint != submission.fingerprint:
        raise Problem("idempotency_key_reused", "This idempotency key was used with another body.")
    return found
