"""What people decide about dead letters: one frozen selection, one way to requeue, resolve and discard, for every door.

    choose (ids, or filter + as_of) ──▶ preview: how many, of what stage and reason
                                   └──▶ requeue: each once, to where it stood, spread over time

A letter that somebody else moved first is left alone; that is counted, never an error.
"""

import random
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, QuerySet

from access.services import Caller
from audit.models import DeadLetter
from audit.services import close
from console.items import PUBLIC_STAGE
from console.lists import buried as listed
from core.clock import now, seconds
from lens_project import pipeline
from publishing.webhooks.outcomes import STAGE as WEBHOOK
from signals.lifecycle import advance
from signals.models import Signal, Status
from signals.selectors import buried

CHUNK = 100
MOST_AT_ONCE = 1_000
# So many signals a second come back when many are brought back at once; fewer than that start at once.
SPREAD_PER_S = 20
EVERYBODY = Caller("house", "the house", frozenset())


class UnfilteredError(Exception):
    """Neither ids nor a filter: nobody means all of them."""


@dataclass(frozen=True)
class Selection:
    """Open letters, frozen: what arrives after `as_of`, or is no longer open when its turn comes, is not among them."""

    rows: QuerySet[DeadLetter]
    as_of: datetime

    def oldest(self, limit: int = MOST_AT_ONCE) -> list[UUID]:
        """Their ids, oldest first, at most `limit`."""
        return list(self.rows.order_by("created_at", "id").values_list("pk", flat=True)[:limit])


def matching(asked: Mapping[str, Any], as_of: datetime | None = None, caller: Caller = EVERYBODY) -> Selection:
    """The open letters a list would show for this filter. Raises UnfilteredError when it filters nothing."""
    if not asked:
        raise UnfilteredError
    frozen = as_of or now()
    return Selection(listed(caller, asked).filter(status=DeadLetter.Status.OPEN, created_at__lte=frozen), frozen)


def chosen(ids: Collection[UUID]) -> Selection:
    """The open ones among these letters. Raises UnfilteredError when there are none at all."""
    if not ids:
        raise UnfilteredError
    return Selection(DeadLetter.objects.filter(pk__in=ids, status=DeadLetter.Status.OPEN), now())


def preview(selection: Selection) -> list[dict[str, Any]]:
    """`stage` (as callers know it), `reason_code` and `count` of what is selected, most first."""
    groups = selection.rows.order_by().values_list("stage", "reason_code").annotate(number=Count("pk"))
    found: dict[tuple[str, str], int] = {}
    for stage, reason, number in groups:
        key = (PUBLIC_STAGE.get(stage, stage), reason)
        found[key] = found.get(key, 0) + number
    ordered = sorted(found.items(), key=lambda group: (-group[1], group[0]))
    return [{"stage": stage, "reason_code": reason, "count": number} for (stage, reason), number in ordered]


def requeue(ids: list[UUID], actor: str, note: str) -> Iterator[bool]:
    """Bring each letter's signal back to where it stood; yields, letter by letter, whether this call was the one to do it.

    More than a second's worth is spread with jitter. Each letter is a transaction of its own: a crash leaves the rest open.
    """
    span = len(ids) / SPREAD_PER_S if len(ids) > SPREAD_PER_S else 0.0
    for start in range(0, len(ids), CHUNK):
        chunk = DeadLetter.objects.filter(pk__in=ids[start : start + CHUNK]).order_by("created_at", "id")
        for letter in chunk:
            yield pipeline.replay(letter, actor, note, seconds(random.uniform(0, span)))  # noqa: S311  jitter


def settle(letter_id: UUID, to: DeadLetter.Status, actor: str, note: str) -> bool:
    """Resolve or discard for good; a signal that is still dead ends failed. False when the letter was closed before."""
    with transaction.atomic():
        if not close(letter_id, to, actor=actor, note=note):
            return False
        letter = DeadLetter.objects.get(pk=letter_id)
        # A letter about a webhook speaks of a delivery, one about an evaluation of a model: the signal did not die of either.
        dead = Signal.objects.none() if letter.stage in {WEBHOOK, "evaluate"} else buried(letter.event_id)
        signal = dead.select_for_update(no_key=True).first()
        if signal is not None:
            advance(signal, Status.FAILED, details={f"{to}_by": actor, "letter": str(letter_id)})
    return True
