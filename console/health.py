"""How each judge has been doing, from its latest answers. One query, whatever the number of models and of decisions."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from evaluation import breakers

SAMPLE = 50
DEGRADED_BELOW = 0.9
FAILING_BELOW = 0.5

# A range of one name and its place in the order leave one way to look: the index by model. With `model = name` PostgreSQL believes
# that reading all decisions backwards is cheaper, which for a model that never answered is reading every decision there is.
_READ = """
SELECT latest_of.name, count(latest.status), count(*) FILTER (WHERE latest.status IN ('ok', 'repaired')),
       max(latest.evaluated_at), max(latest.evaluated_at) FILTER (WHERE latest.status IN ('ok', 'repaired')),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY (latest.model_meta ->> 'latency_ms')::float),
       min(CASE WHEN b.opened_at IS NULL THEN 'closed' WHEN b.opened_at + %s <= now() THEN 'half_open' ELSE 'open' END),
       coalesce(min(b.cause), ''), min(day.spent_usd), min(day.reserved_usd)
  FROM unnest(%s::text[]) latest_of(name)
  LEFT JOIN evaluation_breaker b ON b.model = latest_of.name
  LEFT JOIN evaluation_spend day
         ON day.scope = 'model' AND day.name = latest_of.name AND day.day = (now() AT TIME ZONE 'UTC')::date
  LEFT JOIN LATERAL (
       SELECT status, evaluated_at, model_meta FROM evaluation_decision
        WHERE model BETWEEN latest_of.name AND latest_of.name AND evaluated_at IS NOT NULL
        ORDER BY model, evaluated_at DESC LIMIT %s) latest ON true
 GROUP BY latest_of.name
"""


@dataclass(frozen=True)
class Health:
    """The latest answers of one model: how many were looked at, how many were usable, when, and how long they took. Its breaker
    (`closed`, `open`, or `half_open`: the next call finds out); what of today's budget is spent and set aside, None without one."""

    answers: int
    usable: int
    last_answer_at: datetime | None
    last_usable_at: datetime | None
    median_latency_ms: float | None
    breaker: str
    breaker_cause: str
    spent_today_usd: Decimal | None
    reserved_usd: Decimal | None

    @property
    def state(self) -> str:
        """`unknown` (never asked), `failing`, `degraded` or `ok`."""
        if not self.answers:
            return "unknown"
        share = self.usable / self.answers
        return "failing" if share < FAILING_BELOW else "degraded" if share < DEGRADED_BELOW else "ok"


def health_of(names: list[str]) -> dict[str, Health]:
    """By model name."""
    arguments: list[Any] = [breakers.REST, names, SAMPLE]
    with connection.cursor() as cursor:
        cursor.execute(_READ, arguments)
        return {name: Health(*seen) for name, *seen in cursor.fetchall()}
