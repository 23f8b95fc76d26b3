"""Durable consumers: how far a named reader of a caller has come, kept by its acknowledgements and only ever forward."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from access.services import key_names
from publishing import selectors
from publishing.models import Position
from publishing.operations import RefusedError, Since

MOST_NAMES = 100
# The caller and the name it gave its reader.
Reader = tuple[str, str]

_KEEP = """
INSERT INTO publishing_position AS kept (caller, name, epoch, seq, updated_at)
SELECT caller, name, epoch, seq, now()
  FROM unnest(%(callers)s::text[], %(names)s::text[], %(epochs)s::text[], %(seqs)s::bigint[]) AS mark(caller, name, epoch, seq)
 ORDER BY caller, name
    ON CONFLICT (caller, name) DO UPDATE
   SET epoch = excluded.epoch, updated_at = excluded.updated_at,
       seq = CASE WHEN kept.epoch = excluded.epoch THEN GREATEST(kept.seq, excluded.seq) ELSE excluded.seq END
"""


@dataclass(frozen=True)
class Lag:
    """How far a reader is behind the head, in frames of any kind; None where its position is in a log that is no more.

    `key` is what the caller's key is called, or the caller itself where it has none.
    """

    caller: str
    key: str
    name: str
    seq: int
    behind: int | None
    updated_at: datetime


def find(reader: Reader) -> Since | None:
    """Where the reader stands. Raises RefusedError when it is new and its caller has too many."""
    caller, name = reader
    kept = Position.objects.filter(caller=caller, name=name).first()
    if kept is not None:
        return Since(seq=kept.seq, epoch=kept.epoch)
    if Position.objects.filter(caller=caller).count() >= MOST_NAMES:
        raise RefusedError("invalid_op", f"consumer: there are {MOST_NAMES} already")
    return None


def keep(marks: Mapping[Reader, Since]) -> None:
    """Move all these readers on, in one statement and in one order, so that two processes cannot block each other."""
    if not marks:
        return
    rows = [(caller, name, mark.epoch, mark.seq) for (caller, name), mark in marks.items()]
    callers, names, epochs, seqs = (list(column) for column in zip(*rows, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, {"callers": callers, "names": names, "epochs": epochs, "seqs": seqs})


def lags() -> list[Lag]:
    """Every reader, the one furthest behind first."""
    log = selectors.log()
    places = list(Position.objects.all())
    keys = key_names(place.caller for place in places)
    found = [
        Lag(
            caller=place.caller,
            key=keys.get(place.caller, place.caller),
            name=place.name,
            seq=place.seq,
            behind=log.head - place.seq if place.epoch == log.epoch else None,
            updated_at=place.updated_at,
        )
        for place in places
    ]
    return sorted(found, key=lambda lag: -1 if lag.behind is None else lag.behind, reverse=True)
