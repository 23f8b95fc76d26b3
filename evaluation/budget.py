"""Budgets: the worst case is set aside before a model is asked, what it really cost is booked when its answer is settled.

reserve ─▶ ask ─▶ settle            (or: killed ─▶ the lease runs out ─▶ whoever needs the money gives it back first)

A reservation is a compare-and-set on one row per budget and day, and a check constraint stands behind it: however many reserve at
once, what is spent and set aside never passes the cap. A model to which no budget applies costs no statement at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from django.db import connection, transaction

from evaluation.models import Budget, EvaluationModel, Scope
from evaluation.remembered import Remembered

# The rows are taken in one order, so that two who need the same budgets cannot wait for each other.
_RESERVE = """
WITH wanted AS (
    SELECT * FROM unnest(%(scopes)s::text[], %(names)s::text[], %(caps)s::numeric[]) AS one(scope, name, cap)
     WHERE %(amount)s <= cap ORDER BY scope, name
), took AS (
    INSERT INTO evaluation_spend AS day (scope, name, day, cap_usd, reserved_usd, spent_usd, overrun_usd)
    SELECT scope, name, (now() AT TIME ZONE 'UTC')::date, cap, %(amount)s, 0, 0 FROM wanted
    ON CONFLICT (day, scope, name) DO UPDATE SET cap_usd = EXCLUDED.cap_usd, reserved_usd = day.reserved_usd + %(amount)s
     WHERE day.reserved_usd + day.spent_usd + %(amount)s <= EXCLUDED.cap_usd
    RETURNING id, scope, name
), held AS (
    INSERT INTO evaluation_reservation (spend_id, token, amount_usd, until)
    SELECT id, %(token)s, %(amount)s, %(until)s FROM took
)
SELECT scope, name, id FROM took
"""
_SETTLE = """
WITH gone AS (DELETE FROM evaluation_reservation WHERE token = %(token)s RETURNING spend_id, amount_usd),
     due AS (SELECT day.id, COALESCE(gone.amount_usd, 0) AS held
               FROM evaluation_spend day LEFT JOIN gone ON gone.spend_id = day.id
              WHERE day.id = ANY(%(spends)s) ORDER BY day.id FOR UPDATE OF day)
UPDATE evaluation_spend AS day
   SET reserved_usd = day.reserved_usd - due.held, spent_usd = day.spent_usd + %(cost)s,
       overrun_usd = day.overrun_usd + GREATEST(%(cost)s - due.held, 0)
  FROM due WHERE day.id = due.id
"""
_RELEASE = """
WITH gone AS (DELETE FROM evaluation_reservation WHERE until < now() RETURNING spend_id, amount_usd),
     held AS (SELECT spend_id, sum(amount_usd) AS amount FROM gone GROUP BY spend_id),
     due AS (SELECT day.id, held.amount FROM evaluation_spend day JOIN held ON held.spend_id = day.id
              ORDER BY day.id FOR UPDATE OF day)
UPDATE evaluation_spend AS day SET reserved_usd = day.reserved_usd - due.amount FROM due WHERE day.id = due.id
"""


@dataclass(frozen=True)
class Limit:
    """What may be spent in one day, and by whom."""

    scope: str
    name: str
    usd: Decimal

    def __str__(self) -> str:
        return f"{self.scope} {self.name}".strip()


class Held(Protocol):
    """A lease: its token, and until when it is held by the database's clock."""

    @property
    def token(self) -> UUID:
        """Names it."""

    @property
    def until(self) -> datetime:
        """Past it anybody may take the work over, and its money."""


@dataclass(frozen=True)
class Hold:
    """Money set aside under a lease's token, on these rows of spending."""

    token: UUID
    spends: Sequence[int]


def _limits() -> dict[tuple[str, str], Decimal]:
    budgets = Budget.objects.values_list("scope", "name", "usd_per_day")
    return {(scope, name): usd for scope, name, usd in budgets}


_remembered = Remembered(_limits)


def applying(model: EvaluationModel, source: str) -> list[Limit]:
    """The budgets that count a call to this model for this source; at most a second old."""
    found = _remembered()
    own = {} if model.daily_budget_usd is None else {(Scope.MODEL.value, model.name): model.daily_budget_usd}
    keys = [(Scope.TOTAL.value, ""), (Scope.SOURCE.value, source)]
    return [Limit(*key, usd) for key, usd in ({key: found[key] for key in keys if key in found} | own).items()]


def reserve(amount: Decimal, limits: Sequence[Limit], lease: Held) -> Hold | Limit:
    """The money set aside within every one of the limits for as long as the lease, or the first that has no room; then in none.

    What leases that ran out had set aside is given back before anybody is refused.
    """
    outcome = _try(amount, limits, lease)
    if isinstance(outcome, Limit):
        release()
        outcome = _try(amount, limits, lease)
    return outcome


def settle(hold: Hold, cost: Decimal) -> None:
    """Book what the calls cost and give the rest back, in the caller's transaction. Right also after the hold was released."""
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, {"token": hold.token, "spends": list(hold.spends), "cost": cost})


def release() -> None:
    """Give back what was set aside under leases that ran out: their workers are gone, or will book without it."""
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE)


def _try(amount: Decimal, limits: Sequence[Limit], lease: Held) -> Hold | Limit:
    arguments: dict[str, Any] = {
        "scopes": [limit.scope for limit in limits],
        "names": [limit.name for limit in limits],
        "caps": [limit.usd for limit in limits],
        "amount": amount,
        "token": lease.token,
        "until": lease.until,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_RESERVE, arguments)
        took = {(scope, name): spend for scope, name, spend in cursor.fetchall()}
        short = [limit for limit in limits if (limit.scope, limit.name) not in took]
        if short:
            transaction.set_rollback(True)
            return short[0]
    return Hold(lease.token, list(took.values()))
