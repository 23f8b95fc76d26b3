"""Taking a signal in: one transaction holds the signal and its first timeline entry; the same key gives the same signal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from audit.services import record
from core import telemetry
from core.canonical import canonical, digest
from core.crashpoints import crashpoint
from core.problem import Problem
from signals.lifecycle import FIRST_LOOK
from signals.models import Signal, Source

_known_sources: set[str] = set()
MOST_LABELS = 100


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
    try:
        with transaction.atomic():
            signal = _insert(submission)
            transaction.on_commit(lambda: start(str(signal.pk)), robust=True)
            crashpoint("submit.before_commit")
    except IntegrityError:
        return _replayed(submission), False
    telemetry.signals_received.labels(source=_label(signal.source)).inc()
    return signal, True


def _insert(submission: Submission) -> Signal:
    signal = Signal(
        **submission.fields,
        caller=submission.caller,
        idempotency_key=submission.idempotency_key,
        fingerprint=submission.fingerprint,
        next_attempt_at=Now() + FIRST_LOOK,
    )
    signal.save(force_insert=True)
    record(signal.pk, "received", {"source": signal.source})
    _register(signal.source)
    return signal


def _replayed(submission: Submission) -> Signal:
    found = Signal.objects.filter(caller=submission.caller, idempotency_key=submission.idempotency_key).first()
    if found is None:
        raise Problem("conflict", "The signal could not be stored; send it again.")
    if found.fingerprint != submission.fingerprint:
        raise Problem("idempotency_key_reused", "This idempotency key was used with another body.")
    return found


def _register(source: str) -> None:
    """A source appears with its first accepted signal; known ones cost no query."""
    if source not in _known_sources:
        Source.objects.bulk_create([Source(name=source)], ignore_conflicts=True)
        transaction.on_commit(lambda: _known_sources.add(source), robust=True)


def _label(source: str) -> str:
    return source if source in _known_sources and len(_known_sources) <= MOST_LABELS else "other"
