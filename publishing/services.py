"""Publishing: append frames to the log, gap-free and visible in order, together with the signal's move.

The head row is locked by the last statement of every publishing transaction, so whoever holds seq n commits before n + 1 is handed
out: a reader at n can never miss an earlier frame. A second publisher of the same frame finds it there, or fails on the unique
constraint and rolls back whole, its seq with it.
"""

import functools
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from audit.models import DeadLetter
from audit.services import resolve_requeued
from core import telemetry
from core.clock import ZERO, now
from core.crashpoints import crashpoint
from core.prepared import rows
from evaluation import services as judging
from evaluation.fallbacks import fallback_of
from evaluation.models import Decision, Verdict
from publishing import stream
from publishing.frames import AnyFrame, DecisionFrame, Setting, VerdictFrame, decision_frame, unjudged_frame, verdict_frame
from publishing.head import ensure_head, new_epoch
from publishing.selectors import has_verdict, missing_decisions
from signals.lifecycle import advance
from signals.models import Signal, Status

__all__ = ["announce", "append_decision", "conclude", "missing_decisions", "new_epoch", "publish_decision", "publish_verdict"]

Arguments = dict[str, str | int | list[str]]

# A race with another publisher of the same signal ends after one more look; more would be a bug, and raises.
_LOOKS = 3

# The UPDATE carries no subquery on purpose: one that waited for the row would be judged again by what it saw before it waited.
_APPEND = """
WITH head AS (
    UPDATE publishing_streamhead SET last_seq = last_seq + %(count)s WHERE id = 1
    RETURNING epoch, last_seq - %(count)s AS before, clock_timestamp() AS at
)
INSERT INTO publishing_frame (seq, epoch, kind, event_id, evaluation, model, symbol, event_type, source, payload, created_at)
SELECT head.before + place, head.epoch, kind, %(event_id)s::uuid, %(evaluation)s, model, %(symbol)s, %(event_type)s, %(source)s,
       payload::jsonb || jsonb_build_object('seq', head.before + place, 'epoch', head.epoch, 'published_at',
           to_char(head.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')),
       head.at
  FROM head, unnest(%(kinds)s::text[], %(models)s::text[], %(payloads)s::text[])
             WITH ORDINALITY AS frame(kind, model, payload, place)
RETURNING seq
"""


def append_decision(signal: Signal, decision: Decision) -> None:
    """Append a decision's frame, as the last thing in the transaction that settles it. Raises IntegrityError when it is there."""
    _append(signal, [decision_frame(signal, decision, _setting())])


def publish_decision(signal: Signal, model: str) -> bool:
    """The frame of a settled decision that has none yet; False when there is nothing to tell."""
    try:
        with transaction.atomic():
            frames = _missing(signal, model)
            _append(signal, frames)
    except IntegrityError:
        return False
    return bool(frames)


def conclude(signal: Signal) -> bool:
    """The verdict, if it is due, and straight on to the stream, in one transaction. False: not due, or another was first."""
    return _told(_settled(_conclude, signal), signal)


def publish_verdict(signal: Signal) -> bool:
    """Status published, and on the stream the verdict and every decision still missing, at once. False: another was first."""
    if signal.status != Status.EVALUATED:
        return False
    drawn = Verdict.objects.get(signal=signal, evaluation=signal.evaluation)
    return _told(_settled(functools.partial(_publish_verdict, drawn), signal), signal)


def announce(signal: Signal) -> bool:
    """The verdict frame that a rejected or dead signal still owes: an executor always hears. False: nothing was owed."""
    return _settled(_announce, signal)


def _conclude(signal: Signal) -> bool:
    with transaction.atomic():
        drawn = judging.draw(signal)
        if drawn is None:
            return False
        judging.give_up(drawn.seen)
        columns: dict[str, Any] = {"evaluated_at": ZERO, "published_at": ZERO, "degraded": drawn.verdict.fallback}
        if not advance(signal, Status.PUBLISHED, through=(Status.EVALUATED, drawn.details), **columns):
            transaction.set_rollback(True)
            return False
        judging.keep(drawn)
        _tell(signal, drawn.verdict)
    return True


def _told(published: bool, signal: Signal) -> bool:
    """The answer; the time it took is of interest where nobody chose when to begin."""
    if published and signal.evaluation == 0:
        telemetry.end_to_end_duration.observe((now() - signal.received_at).total_seconds())
    return published


def _publish_verdict(verdict: Verdict, signal: Signal) -> bool:
    with transaction.atomic():
        if not advance(signal, Status.PUBLISHED, published_at=ZERO):
            return False
        _tell(signal, verdict)
    return True


def _tell(signal: Signal, verdict: Verdict) -> None:
    """The verdict on the stream, and every decision still missing, as the last thing in the transaction that publishes."""
    _resolve(signal)
    _append(signal, [*_missing(signal), *_unheard(signal, verdict_frame(signal, verdict, _setting()))])
    crashpoint("publish.before_commit")


def _announce(signal: Signal) -> bool:
    frame = unjudged_frame(signal, fallback_of(signal), _reason(signal), _setting())
    with transaction.atomic():
        owing = Signal.objects.filter(
            pk=signal.pk, status=signal.status, evaluation=signal.evaluation, next_attempt_at__isnull=False
        )
        if signal.status not in (Status.REJECTED, Status.DLQ) or not owing.update(next_attempt_at=None):
            return False
        if signal.status == Status.REJECTED:
            _resolve(signal)
        _append(signal, [*_missing(signal), *_unheard(signal, frame)])
        crashpoint("publish.before_commit")
    return True


def _missing(signal: Signal, *models: str) -> list[AnyFrame]:
    setting = _setting()
    return [decision_frame(signal, decision, setting) for decision in missing_decisions(signal, *models)]


def _unheard(signal: Signal, verdict: VerdictFrame) -> list[AnyFrame]:
    """The verdict, unless the round already has one on the stream: a dead signal's stands, whatever a retry leads to."""
    return [] if signal.buried_from and has_verdict(signal) else [verdict]


def _resolve(signal: Signal) -> None:
    """The dead letters of a signal that died once have done their work; most never did."""
    if signal.buried_from:
        resolve_requeued(signal.pk)


def _settled(step: Callable[[Signal], bool], signal: Signal) -> bool:
    """Run a step that appends; a frame that another publisher appended meanwhile rolls it back whole, and it looks again."""
    status = signal.status
    for look in range(1, _LOOKS + 1):
        try:
            return step(signal)
        except IntegrityError:
            signal.status = status
            if look == _LOOKS:
                raise
    return False


def _append(signal: Signal, frames: Sequence[AnyFrame]) -> None:
    """Append the frames in one statement, the transaction's last. Raises IntegrityError when the log has one of them."""
    if not frames:
        return
    arguments: Arguments = {
        "count": len(frames),
        "event_id": str(signal.pk),
        "evaluation": signal.evaluation,
        "symbol": signal.symbol,
        "event_type": signal.event_type,
        "source": signal.source,
        "kinds": [str(frame.type) for frame in frames],
        "models": [frame.model or "" for frame in frames],
        "payloads": [json.dumps(frame.model_dump(mode="json"), allow_nan=False) for frame in frames],
    }
    seqs = _insert(arguments)
    if not seqs:
        ensure_head()
        seqs = _insert(arguments)
    transaction.on_commit(functools.partial(_appended, max(seqs), frames), robust=True)


def _insert(arguments: Arguments) -> list[int]:
    """The seqs used; none when the log has no head."""
    return [seq for (seq,) in rows(_APPEND, arguments)]


def _appended(head: int, frames: Sequence[AnyFrame]) -> None:
    """After the commit: it is published, whatever happens from here on."""
    crashpoint("publish.committed")
    stream.ring(head)
    telemetry.stream_head.set(head)
    for frame in frames:
        if isinstance(frame, DecisionFrame):
            telemetry.decisions_published.labels(model=frame.model).inc()


def _reason(signal: Signal) -> str:
    """The code of what ended the signal."""
    if signal.rejection:
        return str(signal.rejection["code"])
    letters = DeadLetter.objects.filter(event_id=signal.pk).order_by("-created_at", "-id")
    return letters.values_list("reason_code", flat=True).first() or signal.status


def _setting() -> Setting:
    return Setting(market=settings.LENS.market, ttl=timedelta(seconds=settings.LENS.decision_ttl_s))
