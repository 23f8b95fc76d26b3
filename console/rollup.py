"""Hours of decisions folded into one row per model, so that a page about a month reads hundreds of rows and not a million.

An hour is folded some minutes after it closed; decisions are settled once, so it never changes again. What is not folded yet is
counted from the decisions themselves by the same statement.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Max, Min

from console.histogram import PER_DOUBLING
from console.models import ModelHour
from core.clock import now
from evaluation.models import Decision

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# A decision's time is set before its transaction ends, and its verdict follows within the deadline.
SETTLED_AFTER = timedelta(minutes=5)

_HOURS = """
WITH settled AS (
     SELECT date_trunc('hour', d.evaluated_at, 'UTC') AS hour, d.model, d.status,
            d.status IN ('ok', 'repaired') AS usable,
            d.status NOT IN ('timeout', 'rate_limited', 'provider_error', 'breaker_open', 'budget_denied') AS replied,
            v.decision AS verdict, d.decision AS opinion,
            (d.model_meta ->> 'latency_ms')::float AS latency,
            (d.model_meta ->> 'tokens_in')::bigint AS tokens_in, (d.model_meta ->> 'tokens_out')::bigint AS tokens_out,
            (d.model_meta ->> 'cost_usd')::numeric AS cost
       FROM evaluation_decision d
       LEFT JOIN evaluation_verdict v ON v.signal_id = d.signal_id AND v.evaluation = d.evaluation
      WHERE d.evaluated_at >= %(since)s AND d.evaluated_at < %(until)s AND d.carried_from IS NULL),
latencies AS (
     SELECT hour, model, jsonb_object_agg(bucket, count) AS counts FROM (
            SELECT hour, model, floor(%(fine)s * ln(greatest(latency, 1)) / ln(2::float))::int AS bucket, count(*) FROM settled
             WHERE latency IS NOT NULL AND replied GROUP BY 1, 2, 3) counted GROUP BY 1, 2),
statuses AS (
     SELECT hour, model, jsonb_object_agg(status, count) AS counts FROM (
            SELECT hour, model, status, count(*) FROM settled GROUP BY 1, 2, 3) counted GROUP BY 1, 2)
SELECT hour, model, count(*) AS answers, count(*) FILTER (WHERE replied) AS replied, count(*) FILTER (WHERE usable) AS usable,
       count(*) FILTER (WHERE usable AND verdict IS NOT NULL) AS voted,
       count(*) FILTER (WHERE usable AND verdict = opinion) AS agreed,
       coalesce(sum(tokens_in), 0) AS tokens_in, coalesce(sum(tokens_out), 0) AS tokens_out,
       coalesce(sum(cost), 0) AS cost_usd, count(cost) AS priced,
       coalesce((SELECT counts FROM latencies l WHERE (l.hour, l.model) = (settled.hour, settled.model)), '{}') AS latencies,
       (SELECT counts FROM statuses s WHERE (s.hour, s.model) = (settled.hour, settled.model)) AS statuses
  FROM settled GROUP BY hour, model
"""
_COLUMNS = "hour, model, answers, replied, usable, voted, agreed, tokens_in, tokens_out, cost_usd, priced, latencies, statuses"
_FOLD = f"INSERT INTO console_modelhour ({_COLUMNS}) {_HOURS} ON CONFLICT DO NOTHING"
_READ = f"SELECT {_COLUMNS} FROM ({_HOURS}) hours ORDER BY hour, model"  # noqa: S608


@dataclass(frozen=True)
class Hour:
    """One model's hour; see `ModelHour`."""

    hour: datetime
    model: str
    answers: int
    replied: int
    usable: int
    voted: int
    agreed: int
    tokens_in: int
    tokens_out: int
    cost_usd: Decimal
    priced: int
    latencies: dict[str, int]
    statuses: dict[str, int]


def fold() -> int:
    """Fold every closed hour that is not folded yet, a day at a time; how many rows that made. Safe to run twice at once."""
    made = 0
    until = _closed()
    while (first := _first_unfolded(until)) is not None:
        if not (rows := _insert(first, min(first + DAY, until))):
            break  # another folds the same hours right now
        made += rows
    return made


def hours_since(since: datetime) -> list[Hour]:
    """Every model's hours from then on: the folded ones, and what was settled after them, counted now."""
    kept = ModelHour.objects.filter(hour__gte=since)
    folded = [Hour(*row) for row in kept.values_list(*_COLUMNS.split(", "))]
    newest = ModelHour.objects.aggregate(newest=Max("hour"))["newest"]
    return [*folded, *_counted(max(since, newest + HOUR) if newest else since)]


def _closed() -> datetime:
    return (now() - SETTLED_AFTER).replace(minute=0, second=0, microsecond=0)


def _first_unfolded(until: datetime) -> datetime | None:
    """The first hour with an answer of its own after the newest folded one; what a round carried over was counted before."""
    newest = ModelHour.objects.aggregate(newest=Max("hour"))["newest"]
    settled = Decision.objects.filter(evaluated_at__lt=until, carried_from__isnull=True)
    after = settled.filter(evaluated_at__gte=newest + HOUR) if newest else settled
    first: datetime | None = after.aggregate(first=Min("evaluated_at"))["first"]
    return None if first is None else first.replace(minute=0, second=0, microsecond=0)


def _insert(since: datetime, until: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_FOLD, _span(since, until))
        return int(cursor.rowcount)


def _counted(since: datetime) -> Iterator[Hour]:
    with connection.cursor() as cursor:
        cursor.execute(_READ, _span(since, now() + HOUR))
        rows: list[Any] = cursor.fetchall()
    for row in rows:
        *plain, latencies, statuses = row
        counted: list[Any] = [*plain, _mapping(latencies), _mapping(statuses)]
        yield Hour(*counted)


def _span(since: datetime, until: datetime) -> dict[str, Any]:
    return {"since": since, "until": until, "fine": PER_DOUBLING}


def _mapping(value: Any) -> dict[str, int]:
    """Django leaves jsonb of plain statements as text."""
    return dict(json.loads(value)) if isinstance(value, str) else dict(value)
