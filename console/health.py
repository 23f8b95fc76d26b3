"""How each judge has been doing, from its latest answers. One query, whatever the number of models and of decisions."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

SAMPLE = 50
DEGRADED_BELOW = 0.9
FAILING_BELOW = 0.5

_READ = """
SELECT name, count(latest.status), count(*) FILTER (WHERE latest.status IN ('ok', 'repaired')),
       max(latest.evaluated_at), max(latest.evaluated_at) FILTER (WHERE latest.status IN ('ok', 'repaired')),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY (latest.model_meta ->> 'latency_ms')::float)
  FROM unnest(%s::text[]) name
  LEFT JOIN LATERAL (
       SELECT status, evaluated_at, model_meta FROM evaluation_decision
        WHERE model = name AND evaluated_at IS NOT NULL
        ORDER BY evaluated_at DESC LIMIT %s) latest ON true
 GROUP BY name
"""


@dataclass(frozen=True)
class Health:
    """The latest answers of one model: how many were looked at, how many were usable, when, and how long they took."""

    answers: int
    usable: int
    last_answer_at: datetime | None
    last_usable_at: datetime | None
    median_latency_ms: float | None

    @property
    def state(self) -> str:
        """`unknown` (never asked), `failing`, `degraded` or `ok`."""
        if not self.answers:
            return "unknown"
        share = self.usable / self.answers
        return "failing" if share < FAILING_BELOW else "degraded" if share < DEGRADED_BELOW else "ok"


def health_of(names: list[str]) -> dict[str, Health]:
    """By model name."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, [names, SAMPLE])
        return {name: Health(*seen) for name, *seen in cursor.fetchall()}
