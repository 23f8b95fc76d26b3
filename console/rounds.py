"""What people have judged again: one frozen selection of published signals, what that will cost, and one way to start it.

Each signal gets a new round: the same frozen market, the models enabled now, frames with the next `evaluation`. A signal that is
under judgement already is left alone; that is counted, never an error.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from access.services import Caller
from console.letters import EVERYBODY, MOST_AT_ONCE, SPREAD_PER_S, UnfilteredError
from console.lists import sent
from core.clock import now, seconds
from core.money import plain_or_none
from evaluation.rounds import forecast
from lens_project import pipeline
from signals.models import Signal, Status


@dataclass(frozen=True)
class Selection:
    """Published signals, frozen: what is received after `as_of` is not among them."""

    rows: QuerySet[Signal]
    as_of: datetime

    def oldest(self, limit: int = MOST_AT_ONCE) -> list[UUID]:
        """Their ids, oldest first, at most `limit`."""
        return list(self.rows.order_by("received_at", "id").values_list("pk", flat=True)[:limit])


def matching(asked: Mapping[str, Any], as_of: datetime | None = None, caller: Caller = EVERYBODY) -> Selection:
    """The published signals that match. Raises UnfilteredError when nothing is filtered."""
    if not asked:
        raise UnfilteredError
    frozen = as_of or now()
    return Selection(sent(caller, asked).filter(status=Status.PUBLISHED, received_at__lte=frozen), frozen)


def preview(signals: int) -> dict[str, Any]:
    """What judging so many signals again is likely to cost: in all and for each by model; null where nobody knows yet."""
    each = forecast()
    return {
        "cost_usd": plain_or_none(each.total(signals)),
        "models": [{"model": name, "cost_usd_each": plain_or_none(usd)} for name, usd in each.usd_each.items()],
    }


def start(ids: list[UUID], actor: str, note: str) -> Iterator[int | None]:
    """Open a round of each signal, spread over time; yields its number, or None where the signal was not published any more."""
    span = len(ids) / SPREAD_PER_S if len(ids) > SPREAD_PER_S else 0.0
    for event_id in ids:
        yield pipeline.reevaluate(event_id, actor, note, seconds(random.uniform(0, span)))  # noqa: S311  jitter
