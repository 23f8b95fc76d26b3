"""The resume sweep: every second, send what the rows say is owed. It holds nothing and remembers nothing.

It runs from beat and from a thread in every worker; an advisory lock lets one of them through. What it sends
may be a duplicate of something slow: every stage is idempotent, and each look at the same signal waits twice as long.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Protocol
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Greatest, Now
from kombu.exceptions import OperationalError

from core import telemetry
from core.clock import now
from signals.models import Pulse, Signal
from signals.selectors import overdue

logger = logging.getLogger(__name__)

BATCH = 200
LONGEST_S = 40
SOONEST = timedelta(seconds=1)
_LOCK = 0x1E45  # any number, the same in every process


class Outlook(Protocol):
    """What the rows say of the signals that were found, read for all of them at once."""

    def next_due(self, signal: Signal) -> datetime | None:
        """When something will next become due by itself, if the rows know."""

    def resume(self, signal: Signal) -> bool:
        """Send what is owed. False when that is not worth it now. Raises the broker's errors."""


def sweep(look_into: Callable[[list[Signal]], Outlook]) -> int:
    """Send overdue work; returns how many signals were looked at. Zero when another process is sweeping just now.

    The looks are committed before anything is sent: a crash in between costs one interval, never a double claim on a row. Of the
    rows themselves nothing is held but for that one short transaction: workers wait for them.
    """
    with transaction.atomic():
        if not _alone():
            return 0
        found = list(overdue().select_for_update(skip_locked=True, of=("self",), no_key=True)[:BATCH])
        _look_again_later(found)
        beat("sweep", stalled=len(found))
    telemetry.signals_stalled.set(len(found))
    telemetry.sweep_age.set(0)
    if found:
        outlook = look_into(found)
        _bring_forward(found, outlook)
        _send_all(found, outlook)
    return len(found)


def beat(name: str, **details: int | str) -> None:
    """Note that this kind of process is alive."""
    Pulse.objects.bulk_create(
        [Pulse(name=name, at=Now(), details=details)],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["at", "details"],
    )


def _alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])


def _look_again_later(found: list[Signal]) -> None:
    """5, 10, 20, 40 s after each dispatch; one statement for each of these."""
    for wait, signals in groupby(sorted(found, key=_wait_s), _wait_s):
        looked_at = Signal.objects.filter(pk__in=[signal.pk for signal in signals])
        looked_at.update(next_attempt_at=Now() + timedelta(seconds=wait), dispatches=F("dispatches") + 1)


def _wait_s(signal: Signal) -> int:
    return min(LONGEST_S, 5 << min(signal.dispatches, 5))


def _bring_forward(found: list[Signal], outlook: Outlook) -> None:
    """Sooner, where the rows know of something that is due sooner."""
    dues = {signal.pk: max(due, now() + SOONEST) for signal in found if (due := outlook.next_due(signal)) is not None}
    sooner = {signal.pk: dues[signal.pk] for signal in found if signal.pk in dues and _is_sooner(dues[signal.pk], signal)}
    if sooner:
        _set(sooner, next_attempt_at=Case(*(When(pk=pk, then=Value(due)) for pk, due in sooner.items())))


def _is_sooner(due: datetime, signal: Signal) -> bool:
    return due < now() + timedelta(seconds=_wait_s(signal))


def _set(ids: Iterable[UUID], **columns: Any) -> None:
    """Rows that somebody holds are being worked on and need no other look; what was settled meanwhile stays settled."""
    owed = Signal.objects.filter(pk__in=list(ids), next_attempt_at__isnull=False)
    with transaction.atomic():
        Signal.objects.filter(pk__in=owed.select_for_update(skip_locked=True, no_key=True).values("pk")).update(**columns)


def _send_all(found: list[Signal], outlook: Outlook) -> None:
    """The messages of each signal. One that could not be sent, or is not worth sending now, was not looked at."""
    unsent: list[Signal] = []
    for position, signal in enumerate(found):
        try:
            if not outlook.resume(signal):
                unsent.append(signal)
        except (OperationalError, OSError) as error:
            logger.warning("the broker is away", extra={"error": str(error)})
            unsent += found[position:]
            break
    logger.info("resumed", extra={"signals": len(found) - len(unsent), "unsent": len(unsent)})
    if unsent:
        _set((signal.pk for signal in unsent), next_attempt_at=Now() + SOONEST, dispatches=Greatest(F("dispatches") - 1, 0))
