"""How one signal flows. This file is the canvas; everything else is what its boxes do.

    submit ─▶ enrich ─▶ group( evaluate(model) ─▶ publish its frame,  × every expected model ) ─▶ conclude ─▶ publish ─▶ wake
                │                                                                                    ▲
                └─▶ rejected │ dlq ─▶ announce            the last model to answer, decided by rows ─┘

Celery carries it as `chain(enrich, group(evaluate …))`: only the event's id travels, every box reads the row, and the fan-in is a
count of rows (docs/decisions/0003). A message may be lost, doubled or late; `resume`, called by the sweep, reads the same
rows and sends what is still owed.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from celery import chain, group, signature
from celery.canvas import Signature
from django.db import transaction
from kombu.exceptions import OperationalError

from audit.models import DeadLetter
from audit.services import mark_requeued
from core import telemetry
from core.broker import queue_depths
from core.clock import ZERO
from evaluation import rounds
from evaluation import selectors as evaluations
from publishing import selectors as stream
from publishing.webhooks import outcomes
from publishing.webhooks import services as webhooks
from publishing.webhooks.services import Revival
from signals.lifecycle import advance
from signals.models import Signal, Status
from signals.selectors import buried, told
from signals.sweep import sweep

# Tasks by name: the processes that only send them need not load pandas and the vendors' SDKs. A test holds the names to the code.
ENRICH = "enrichment.tasks.enrich"
EVALUATE = "publishing.tasks.evaluate"
PUBLISH_DECISION = "publishing.tasks.publish_decision"
CONCLUDE = "publishing.tasks.conclude"
PUBLISH = "publishing.tasks.publish"
ANNOUNCE = "publishing.tasks.announce"

logger = logging.getLogger(__name__)
# Where a signal's next message waits.
QUEUE = {
    Status.QUEUED: "enrich",
    Status.ENRICHED: "evaluate",
    Status.EVALUATED: "publish",
    Status.REJECTED: "publish",
    Status.DLQ: "publish",
}
LONG_QUEUE = 20
# What a round that begins has not reached yet.
_NOT_TOLD = {"evaluated_at": None, "published_at": None, "degraded": False}

# After this many failed hand-overs in a row the broker is left alone for a while; the sweep picks the signals up.
FAILURES_BEFORE_REST = 2
REST_S = 5.0


class _Broker:
    """Remembers failed hand-overs, so that a dead broker costs an accepted signal no more than a glance."""

    def __init__(self) -> None:
        self.failures = 0
        self.rests_until = 0.0

    @property
    def resting(self) -> bool:
        return time.monotonic() < self.rests_until

    def failed(self) -> None:
        self.failures += 1
        if self.failures >= FAILURES_BEFORE_REST:
            self.rests_until = time.monotonic() + REST_S

    def worked(self) -> None:
        self.failures = 0


_broker = _Broker()


def start(event_id: str) -> None:
    """Send a new signal on its way. Never raises: the row is already there, and the sweep finds it."""
    if _broker.resting:
        return
    with telemetry.enqueue_duration.time():
        try:
            canvas(event_id, evaluations.enabled_models()).apply_async()
        except (OperationalError, OSError) as error:
            _broker.failed()
            logger.warning("hand-over to the broker failed; the sweep will send it", extra={"error": str(error)})
            return
    _broker.worked()
    telemetry.signals_enqueued.inc()


def canvas(event_id: str, models: list[str]) -> chain:
    """The whole way of a new signal. `enrich` freezes the set of models on the row; a task for any other ends at once."""
    return chain(task(ENRICH, event_id), group(task(EVALUATE, event_id, model) for model in models))


def task(name: str, *ids: str) -> Signature[None]:
    """One box of the drawing, with the ids it works on and nothing else."""
    return signature(name, args=ids, immutable=True)


class Outlook:
    """What is owed to these signals, and what will be: two queries, however many they are.

    `depths` are the queues' lengths. Where a signal's queue is long, its message is most likely among those that wait, and one more
    would only wait behind them.
    """

    def __init__(self, signals: Iterable[Signal], depths: Mapping[str, int]) -> None:
        judged = [signal for signal in signals if signal.status == Status.ENRICHED]
        self._rounds = evaluations.looks(judged)
        self._unpublished = stream.unpublished(judged)
        self._depths = depths

    def next_due(self, signal: Signal) -> datetime | None:
        """When something will next become due by itself, if the rows know: a lease running out, a retry, the deadline."""
        seen = self._rounds.get(signal.pk)
        return seen.next_due if seen else None

    def resume(self, signal: Signal) -> bool:
        """Send what the rows say is owed to this signal; False when its queue is long. Raises the broker's errors."""
        if self._depths.get(QUEUE[Status(signal.status)], 0) > LONG_QUEUE:
            return False
        for step in self._owed(signal):
            step.apply_async()
        return True

    def _owed(self, signal: Signal) -> Iterator[Signature[None]]:
        event_id = str(signal.pk)
        match Status(signal.status):
            case Status.QUEUED:
                yield canvas(event_id, evaluations.enabled_models())
            case Status.ENRICHED:
                yield from self._judging(signal)
            case Status.EVALUATED:
                yield task(PUBLISH, event_id)
            case Status.REJECTED | Status.DLQ:
                yield task(ANNOUNCE, event_id)

    def _judging(self, signal: Signal) -> Iterator[Signature[None]]:
        """Models that can be asked now, frames a crash left out, and the verdict when it is due."""
        event_id, seen = str(signal.pk), self._rounds[signal.pk]
        yield from (task(EVALUATE, event_id, model) for model in seen.owed)
        yield from (task(PUBLISH_DECISION, event_id, model) for model in self._unpublished[signal.pk])
        if seen.due:
            yield task(CONCLUDE, event_id)


def replay(letter: DeadLetter, actor: str, note: str = "", after: timedelta = ZERO) -> bool:
    """Bring a buried signal back. False when the letter is not open, or the signal no longer dead.

    Buried from `queued` it begins again, in a new round. Otherwise it goes on from where it stood, in its round, while nobody has
    been told its end. Once the fallback verdict is on the stream, the real one belongs to a new round, or nobody would hear it
    (docs/decisions/0012). The letter is resolved when it arrives.
    With `after`, the sweep sends it that much later: a crowd that is brought back must not arrive as one.

    A letter about a webhook speaks of one delivery, which is owed again; its signal is not touched.
    """
    if letter.stage == outcomes.STAGE:
        return webhooks.replay_letter(letter, Revival(actor, note, after))
    with transaction.atomic():
        signal = buried(letter.event_id).select_for_update(no_key=True).first()
        if signal is None or not mark_requeued(letter.pk, actor, note):
            return False
        details = {"requeued_by": actor, "letter": str(letter.pk)}
        if signal.buried_from == Status.QUEUED:
            _send(signal, Status.QUEUED, details, after, evaluation=signal.evaluation + 1)
        elif signal.next_attempt_at is None:
            # Its end was announced; by now the stream may have let go of the frame that said so.
            opens = signal.evaluation + 1
            _send(signal, Status.ENRICHED, {**details, "evaluation": opens}, after, evaluation=opens, **_NOT_TOLD)
            rounds.carry_over(signal, opens)
        else:
            _send(signal, Status(signal.buried_from), details, after)
    return True


def reevaluate(event_id: str | UUID, actor: str, note: str = "", after: timedelta = ZERO) -> int | None:
    """Have a published signal judged anew: the same frozen market, the models enabled now, frames of a new round.

    The round it opens, or None when the signal is not published (just now, or at all).
    """
    with transaction.atomic():
        signal = told(event_id).select_for_update(no_key=True).first()
        if signal is None:
            return None
        opens = signal.evaluation + 1
        details = {"reevaluated_by": actor, "evaluation": opens, **({"note": note} if note else {})}
        _send(signal, Status.ENRICHED, details, after, evaluation=opens, expected=evaluations.enabled_models(), **_NOT_TOLD)
    return opens


def _send(signal: Signal, to: Status, details: dict[str, Any], after: timedelta, **columns: Any) -> None:
    """Move a signal that is locked, and have it worked on at once or, by the sweep, after a while."""
    if after:
        columns["next_attempt_at"] = after
    else:
        transaction.on_commit(partial(_resume_soon, str(signal.pk)), robust=True)
    advance(signal, to, details=details, **columns)


def _resume_soon(event_id: str) -> None:
    """Best effort; the sweep looks within five seconds anyway."""
    try:
        signal = Signal.objects.get(pk=event_id)
        Outlook([signal], {}).resume(signal)
    except (OperationalError, OSError) as error:
        logger.warning("hand-over to the broker failed; the sweep will send it", extra={"error": str(error)})


def sweep_once() -> int:
    """One pass of the resume sweep over every storey. Returns how many signals were looked at."""
    return sweep(lambda found: Outlook(found, queue_depths() or {}))
