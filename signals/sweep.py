"""The resume sweep: every second, send what the rows say is owed. It holds nothing and remembers nothing.

It runs from beat and from a thread in a second kind of worker; an advisory lock makes the second of two harmless. What it sends
may be a duplicate of something slow: every stage is idempotent, and each look at the same signal waits twice as long.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Least, Now
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

Resume = Callable[[Signal], bool]
NextLook = Callable[[Signal], datetime | None]


def sweep(resume: Resume, next_look: NextLook) -> int:
    """Send overdue work; returns how many signals were looked at. Zero when another process is sweeping just now.

    The looks are committed before anything is sent: a crash in between costs one interval, never a double claim on a row.
    """
    with transaction.atomic():
        if not _alone():
            return 0
        found = list(overdue().select_for_update(skip_locked=True, of=("self",), no_key=True)[:BATCH])
        for signal in found:
            _look_again_later(signal, next_look(signal))
        beat("sweep", stalled=len(found))
    telemetry.signals_stalled.set(len(found))
    telemetry.sweep_age.set(0)
    if found:
        _send_all(found, resume)
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


def _look_again_later(signal: Signal, due: datetime | None) -> None:
    """5, 10, 20, 40 s after each dispatch, or sooner when the rows know of something due sooner."""
    backoff = Now() + timedelta(seconds=min(LONGEST_S, 5 * 2 ** min(signal.dispatches, 5)))
    later = backoff if due is None else Least(backoff, max(due, now() + SOONEST))
    Signal.objects.filter(pk=signal.pk).update(next_attempt_at=later, dispatches=F("dispatches") + 1)


def _send_all(found: list[Signal], resume: Resume) -> None:
    """The messages of each signal. One that could not be sent, or is not worth sending now, was not looked at.

    Unless a worker brought it to its end meanwhile: what is settled stays settled.
    """
    unsent: list[Signal] = []
    for position, signal in enumerate(found):
        try:
            if not resume(signal):
                unsent.append(signal)
        except (OperationalError, OSError) as error:
            logger.warning("the broker is away", extra={"error": str(error)})
            unsent += found[position:]
            break
    logger.info("resumed", extra={"signals": len(found) - len(unsent), "unsent": len(unsent)})
    late = Signal.objects.filter(pk__in=[signal.pk for signal in unsent], next_attempt_at__isnull=False, dispatches__gt=0)
    late.update(next_attempt_at=Now() + SOONEST, dispatches=F("dispatches") - 1)
