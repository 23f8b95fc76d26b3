"""Open interest over time, from our own snapshots: once a minute the whole universe, kept for a little more than a day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from enrichment.models import OpenInterest
from enrichment.ports import PerpContext

HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
# A snapshot stands for its moment if it is at most so much older.
NEAR = {HOUR: timedelta(minutes=5), DAY: timedelta(minutes=15)}
KEPT = DAY + timedelta(hours=1)
EVERY = timedelta(minutes=1)
CHUNK = 500


@dataclass(frozen=True, slots=True)
class PastInterest:
    """Open interest of one coin an hour and a day before, in coins; None where our history has nothing near that moment."""

    an_hour_ago: Decimal | None
    a_day_ago: Decimal | None


@dataclass(frozen=True, slots=True)
class InterestChange:
    """How much open interest has grown, in per cent; None while our history is too short, or the venue left it out."""

    change_1h_pct: Decimal | None
    change_24h_pct: Decimal | None


def keep(market: str, contexts: Iterable[PerpContext]) -> int:
    """Store what the venue says of every coin now; nothing when it was stored half a minute ago. Returns the rows written."""
    if OpenInterest.objects.filter(market=market, at__gt=Now() - EVERY / 2).exists():
        return 0
    rows = [
        OpenInterest(market=market, coin=context.coin, contracts=context.open_interest)
        for context in contexts
        if context.open_interest is not None
    ]
    with transaction.atomic():  # one transaction, one time: all rows of a snapshot carry it
        OpenInterest.objects.bulk_create(rows, batch_size=CHUNK, ignore_conflicts=True)
        OpenInterest.objects.filter(at__lt=Now() - KEPT).delete()
    return len(rows)


def past(market: str, coin: str, at: datetime) -> PastInterest:
    """What was stored about an hour and a day before `at`. One query."""
    spans = {span: (at - span - near, at - span) for span, near in NEAR.items()}
    hour, day = (Q(at__range=spans[span]) for span in (HOUR, DAY))
    rows = OpenInterest.objects.filter(hour | day, market=market, coin=coin).order_by("at").values_list("at", "contracts")
    # Ascending, so the last one inside a span is the nearest to its end.
    found = {span: contracts for stored, contracts in rows for span, (since, until) in spans.items() if since <= stored <= until}
    return PastInterest(found.get(HOUR), found.get(DAY))


def change(current: Decimal | None, before: PastInterest) -> InterestChange:
    """The growth from then to `current`. Nothing can be said of growth from nothing."""
    return InterestChange(_pct(current, before.an_hour_ago), _pct(current, before.a_day_ago))


def _pct(current: Decimal | None, before: Decimal | None) -> Decimal | None:
    return None if current is None or not before else (current / before - 1) * 100
