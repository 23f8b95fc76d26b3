"""Reading the log. One statement answers for the head, the horizon and the frames, so they belong to one instant."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Upper

from core import prepared
from core.clock import parse_zoned
from evaluation.models import Decision, EvaluationModel
from publishing.frames import Kind, Published
from publishing.head import ensure_head
from publishing.models import Frame
from publishing.operations import LARGEST_SEQ
from publishing.subscriptions import Filter, Log
from signals.models import Signal

EVERYTHING = Filter()
# How many frames of the whole log are looked through for the newest matching ones.
LOOK_BACK = 20_000

_READ = """
SELECT head.epoch, head.last_seq, COALESCE((SELECT min(seq) - 1 FROM publishing_frame), head.last_seq),
       frame.seq, frame.epoch, frame.kind, frame.model, upper(frame.symbol), frame.event_type, frame.source,
       frame.payload ->> 'valid_until', (frame.payload - '{type,epoch,seq}'::text[])::text
  FROM publishing_streamhead head
  LEFT JOIN LATERAL (
       SELECT * FROM publishing_frame
        WHERE seq > %(after)s AND seq <= %(until)s AND kind = ANY(%(kinds)s)
          AND (%(symbols)s::text[] IS NULL OR upper(symbol) = ANY(%(symbols)s))
          AND (%(models)s::text[] IS NULL OR kind = 'verdict' OR model = ANY(%(models)s))
          AND (%(event_types)s::text[] IS NULL OR event_type = ANY(%(event_types)s))
          AND (%(sources)s::text[] IS NULL OR source = ANY(%(sources)s))
        ORDER BY seq LIMIT %(limit)s) frame ON true
 WHERE head.id = 1
 ORDER BY frame.seq
"""

_UNTOLD = """
  FROM evaluation_decision settled
 WHERE status <> '' AND NOT EXISTS (
       SELECT FROM publishing_frame told
        WHERE told.event_id = settled.signal_id AND told.evaluation = settled.evaluation
          AND told.model = settled.model AND told.kind = 'decision')
   AND {those} ORDER BY evaluated_at, id
"""
_MISSING = f"SELECT {', '.join(prepared.columns(Decision))}" + _UNTOLD.format(
    those="signal_id = %(signal)s AND evaluation = %(evaluation)s AND (%(models)s::text[] IS NULL OR model = ANY(%(models)s))"
)
_UNPUBLISHED = "SELECT signal_id, evaluation, model" + _UNTOLD.format(those="signal_id = ANY(%s)")


@dataclass(frozen=True)
class Reading:
    """The log as it stood, and the frames asked for, oldest first."""

    log: Log
    frames: list[Published]


def read(after: int, limit: int, wanted: Filter = EVERYTHING, until: int = LARGEST_SEQ) -> Reading:
    """At most `limit` matching frames with after < seq ≤ until."""
    rows = _rows(after, limit, wanted, until)
    if not rows:
        ensure_head()
        rows = _rows(after, limit, wanted, until)
    epoch, head, horizon = rows[0][:3]
    return Reading(Log(epoch, head, horizon), list(_frames(rows)))


def start_of_newest(wanted: Filter, count: int) -> tuple[Log, int]:
    """The log, and the position after which its `count` newest matching frames lie, or fewer: it does not look back for ever."""
    here = log()
    frames = Frame.objects.filter(seq__gt=here.head - LOOK_BACK, kind__in=[str(kind) for kind in wanted.kinds])
    for column, values in (("event_type", wanted.event_types), ("source", wanted.sources)):
        frames = frames if values is None else frames.filter(**{f"{column}__in": values})
    if wanted.symbols is not None:
        frames = frames.alias(upper=Upper("symbol")).filter(upper__in=wanted.symbols)
    if wanted.models is not None:
        frames = frames.filter(Q(kind=Kind.VERDICT) | Q(model__in=wanted.models))
    newest = list(frames.order_by("-seq").values_list("seq", flat=True)[:count])
    return here, newest[-1] - 1 if newest else here.head


def log() -> Log:
    """How the log stands now."""
    return read(after=0, limit=0).log


def known_models() -> set[str]:
    """The names in the registry, enabled or not: frames of a disabled model are still on the stream."""
    return set(EvaluationModel.objects.values_list("name", flat=True))


def missing_decisions(signal: Signal, *models: str) -> list[Decision]:
    """The settled decisions of the signal's round that are not on the stream yet, oldest first; of these models, or of all."""
    arguments = {"signal": signal.pk, "evaluation": signal.evaluation, "models": list(models) or None}
    return [prepared.made(Decision, row) for row in prepared.rows(_MISSING, arguments)]


def has_verdict(signal: Signal) -> bool:
    """Whether the round's verdict is on the stream."""
    return Frame.objects.filter(event_id=signal.pk, evaluation=signal.evaluation, kind=Kind.VERDICT).exists()


def unpublished(signals: Iterable[Signal]) -> dict[UUID, list[str]]:
    """By signal, the models whose settled decisions of its round are not on the stream yet. One query."""
    rounds = {signal.pk: signal.evaluation for signal in signals}
    found: dict[UUID, list[str]] = {pk: [] for pk in rounds}
    if rounds:
        for pk, evaluation, model in prepared.rows(_UNPUBLISHED, [list(rounds)]):
            if evaluation == rounds[pk]:
                found[pk].append(model)
    return found


def _rows(after: int, limit: int, wanted: Filter, until: int) -> list[tuple[Any, ...]]:
    arguments: dict[str, int | list[str] | None] = {
        "after": after,
        "until": until,
        "limit": limit,
        "kinds": [str(kind) for kind in wanted.kinds],
        "symbols": _array(wanted.symbols),
        "models": _array(wanted.models),
        "event_types": _array(wanted.event_types),
        "sources": _array(wanted.sources),
    }
    return prepared.rows(_READ, arguments)


def _array(values: Iterable[str] | None) -> list[str] | None:
    return None if values is None else list(values)


def _frames(rows: list[tuple[Any, ...]]) -> Iterator[Published]:
    for _, _, _, seq, epoch, kind, model, symbol, event_type, source, valid_until, rest in rows:
        if seq is not None:
            yield Published(seq, epoch, kind, model, symbol, event_type, source, parse_zoned(valid_until), rest)
