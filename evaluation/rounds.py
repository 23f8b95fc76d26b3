"""Rounds: a signal may be judged again. A round has its own decisions, verdict and frames; `evaluation` counts them from 0.

A deliberate re-evaluation judges the same frozen market anew, by the models enabled now. A signal that died while its answers were
already paid for takes them along into its next round.
"""

from dataclasses import dataclass
from decimal import Decimal

from django.db import connection
from django.db.models.functions import Now

from core.ids import uuid7
from evaluation.models import Decision
from evaluation.prices import FREE
from evaluation.selectors import enabled_models, rates_of, registered
from signals.models import Signal

_RECENT = 100
# What an answer of this model has cost of late, its re-asks included; those of unknown cost say nothing.
_COST = """
WITH recent AS (
    SELECT id FROM evaluation_decision
     WHERE model = %s AND evaluated_at IS NOT NULL ORDER BY evaluated_at DESC LIMIT %s
), paid AS (
    SELECT CASE WHEN count(*) = count(c.cost_usd) THEN sum(c.cost_usd) END AS usd
      FROM recent JOIN evaluation_modelcall c ON c.decision_id = recent.id GROUP BY recent.id
)
SELECT avg(usd) FROM paid
"""


@dataclass(frozen=True)
class Forecast:
    """What one more round of a signal is likely to cost, by model; None where nobody knows yet."""

    usd_each: dict[str, Decimal | None]

    def total(self, signals: int) -> Decimal | None:
        """For so many signals; None when one of the models is unknown."""
        known = [each for each in self.usd_each.values() if each is not None]
        return sum(known, Decimal(0)) * signals if len(known) == len(self.usd_each) else None


def forecast() -> Forecast:
    """The cost of one round by the models enabled now, from what their latest answers cost."""
    return Forecast({name: _recent_cost(name) for name in enabled_models()})


def carry_over(signal: Signal, into: int) -> int:
    """Take the usable answers of the signal's round into another one, in the caller's transaction: they are paid for.

    Returns how many. Each names the decision it was; its calls stay with that one, and it costs nothing again.
    """
    usable = Decision.objects.filter(signal=signal, evaluation=into - 1, status__in=["ok", "repaired"])
    carried = [_carried(decision, into) for decision in usable]
    Decision.objects.bulk_create(carried)
    return len(carried)


def _carried(decision: Decision, into: int) -> Decision:
    columns = {field.attname: getattr(decision, field.attname) for field in Decision._meta.concrete_fields}
    origin = decision.carried_from or decision.pk
    return Decision(
        **{
            **columns,
            "id": uuid7(),
            "evaluation": into,
            "carried_from": origin,
            "claimed_at": Now(),
            "evaluated_at": Now(),
            "model_meta": {**decision.model_meta, "cost_usd": "0"},
        }
    )


def _recent_cost(name: str) -> Decimal | None:
    model = registered(name)
    if model is None or rates_of(model) == FREE:
        return Decimal(0)
    with connection.cursor() as cursor:
        cursor.execute(_COST, [name, _RECENT])
        (average,) = cursor.fetchone()
    return None if average is None else Decimal(average).quantize(Decimal("0.00000001"))
