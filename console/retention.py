"""What is kept how long. Old signals go with everything that hangs on them; what somebody still needs stays, however old.

A signal is needed while it is not settled, while a dead letter of it waits for a person, and while the stream still shows it. The
stream has its own horizon, in `publishing/retention.py`. What people did in the admin is kept for good.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from audit.models import DeadLetter, TimelineEntry
from core.clock import now
from enrichment.models import Enrichment
from evaluation.models import Decision, ModelCall, Verdict
from publishing import retention as stream
from publishing.models import Frame, Receipt
from publishing.webhooks import services as webhooks
from signals.models import RejectedInput, Signal, Status

CHUNK = 500
# The few that may go are found by walking up from the oldest. Right after the stream was pruned PostgreSQL still believes that
# every signal is shown, expects to find none, and would join and sort all of them for each chunk.
_SHORTCUTS = ("hashjoin", "mergejoin", "sort", "seqscan", "bitmapscan")
_DONE = [Status.PUBLISHED, Status.REJECTED, Status.FAILED]
CLOSED = [DeadLetter.Status.RESOLVED, DeadLetter.Status.DISCARDED]


def expiry(days: float | None = None) -> datetime:
    """What is older may go; by default as `LENS_RETENTION_DAYS` says."""
    return now() - timedelta(days=settings.LENS.retention_days if days is None else days)


def signals(before: datetime) -> QuerySet[Signal]:
    """Signals that nobody needs any more, oldest first."""
    waiting = DeadLetter.objects.filter(event_id=OuterRef("pk")).exclude(status__in=CLOSED)
    shown = Frame.objects.filter(event_id=OuterRef("pk"))
    old = Signal.objects.filter(received_at__lt=before, status__in=_DONE, next_attempt_at__isnull=True)
    return old.exclude(Exists(waiting)).exclude(Exists(shown)).order_by("received_at", "id")


def letters(before: datetime) -> QuerySet[DeadLetter]:
    """Closed letters; those of a signal that is still there stay with it."""
    closed = DeadLetter.objects.filter(status__in=CLOSED, created_at__lt=before)
    return closed.exclude(Exists(Signal.objects.filter(pk=OuterRef("event_id"))))


# Table → the rows that may go, for counting.
OLD: Mapping[str, Callable[[datetime], QuerySet[Any]]] = {
    "stream": lambda _: Frame.objects.filter(created_at__lt=stream.expiry()),
    "deliveries": webhooks.expired,
    "signals": signals,
    "letters": letters,
    "inbox": lambda before: RejectedInput.objects.filter(received_at__lt=before),
    "sessions": lambda _: Session.objects.filter(expire_date__lt=now()),
}


def prune(table: str, before: datetime) -> Iterator[int]:
    """Remove what may go from one table of `OLD`, chunk by chunk; yields how many rows each chunk had."""
    match table:
        case "stream":
            yield stream.prune(stream.expiry())
        case "deliveries":
            yield from _until_none(lambda: webhooks.prune(before))
        case "signals":
            yield from _until_none(lambda: _prune_signals(before))
        case _:
            yield from _until_none(lambda: _prune_rows(OLD[table](before)))


def prune_all() -> None:
    """Every table, as the settings say."""
    for table in OLD:
        for _ in prune(table, expiry()):
            continue


def _until_none(chunk: Callable[[], int]) -> Iterator[int]:
    while removed := chunk():
        yield removed


def _prune_signals(before: datetime) -> int:
    """One chunk of signals and all that hangs on them, in one transaction; rows that somebody works on are left for later."""
    with transaction.atomic():
        with walking():
            ids = list(signals(before).select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)[:CHUNK])
        ModelCall.objects.filter(decision__signal__in=ids).delete()
        for hanging in (Decision.objects, Verdict.objects, Enrichment.objects):
            hanging.filter(signal__in=ids).delete()
        for told in (TimelineEntry.objects, DeadLetter.objects, Receipt.objects):
            told.filter(event_id__in=ids).delete()
        Signal.objects.filter(pk__in=ids).delete()
    return len(ids)


@contextmanager
def walking() -> Iterator[None]:
    """Inside, in a transaction, statements go along an index and in its order, whatever the planner believes of the tables."""
    _allow("off")
    yield
    _allow("DEFAULT")


def _allow(shortcuts: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL enable_{name} TO {shortcuts}" for name in _SHORTCUTS))


def _prune_rows(old: QuerySet[Any]) -> int:
    chunk = old.order_by("pk").values("pk")[:CHUNK]
    removed = old.filter(pk__in=[row["pk"] for row in chunk]).delete()[1]
    return removed.get(old.model._meta.label, 0)
