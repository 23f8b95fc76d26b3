"""A circuit breaker per model, shared by all processes: a vendor that is down is not asked, and delays nobody.

closed ──▶ five failures in a row that may pass, or one refusal that waiting cannot mend (key, quota, model) ──▶ open
open ──▶ after 30 s one call, anywhere, may try ──▶ an answer closes it, a failure keeps it open for another 30 s

Every process reads the rows at most once a second. A closed breaker costs an evaluation nothing: what an answer has to undo is
undone by the statement that settles it.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from core import telemetry
from core.errors import LensError, Transient
from evaluation.ports import Unanswered
from evaluation.remembered import Remembered

logger = logging.getLogger(__name__)

FAILURES_TO_OPEN = 5
REST = timedelta(seconds=30)
# What waiting a second cannot mend: opens at once.
_LASTING = frozenset({"auth_failed", "model_not_found", "insufficient_quota"})

_READ = "SELECT model, opened_at IS NOT NULL, opened_at + %s <= now(), cause FROM evaluation_breaker"
_PROBE = """
UPDATE evaluation_breaker SET probing_until = now() + %(lease)s
 WHERE model = %(model)s AND opened_at + %(rest)s <= now() AND (probing_until IS NULL OR probing_until < now())
RETURNING probing_until
"""
_GIVE_BACK = "UPDATE evaluation_breaker SET probing_until = NULL WHERE model = %s AND probing_until = %s"
_FAILED = """
INSERT INTO evaluation_breaker AS breaker (model, failures, opened_at, cause)
VALUES (%(model)s, 1, CASE WHEN %(lasting)s THEN statement_timestamp() END, %(cause)s)
ON CONFLICT (model) DO UPDATE
   SET failures = breaker.failures + 1, cause = EXCLUDED.cause, probing_until = NULL,
       opened_at = CASE WHEN %(lasting)s OR breaker.failures + 1 >= %(most)s THEN statement_timestamp() ELSE breaker.opened_at END
"""
# For whoever settles an answer, as part of a statement of its own: takes %(model)s and %(answered)s.
CLOSE = """
UPDATE evaluation_breaker SET failures = 0, opened_at = NULL, probing_until = NULL, cause = ''
 WHERE model = %(model)s AND failures > 0 AND %(answered)s"""


@dataclass(frozen=True)
class Breaker:
    """One breaker as last read; `rested` once it has been open for long enough to let one call try."""

    open: bool
    rested: bool
    cause: str


@dataclass(frozen=True)
class Turn:
    """The right to call a model once; with `until`, as the one that finds out for all."""

    model: str
    until: datetime | None = None


CLOSED = Breaker(open=False, rested=False, cause="")


class _Breakers(Remembered[dict[str, Breaker]]):
    """All rows; the metric follows what is read."""

    def __init__(self) -> None:
        super().__init__(self._rows)
        self._open: set[str] = set()

    def _rows(self) -> dict[str, Breaker]:
        arguments: list[Any] = [REST]
        with connection.cursor() as cursor:
            cursor.execute(_READ, arguments)
            found = {model: Breaker(opened, bool(rested), cause) for model, opened, rested, cause in cursor.fetchall()}
        self._tell(found)
        return found

    def _tell(self, found: dict[str, Breaker]) -> None:
        is_open = {model for model, breaker in found.items() if breaker.open}
        for model in is_open ^ self._open:
            telemetry.breaker_open.labels(model=model).set(model in is_open)
            logger.warning("breaker %s", "open" if model in is_open else "closed", extra={"model": model})
        self._open = is_open


_breakers = _Breakers()


def state(model: str) -> Breaker:
    """The model's breaker, at most a second old."""
    return _breakers().get(model, CLOSED)


def take_turn(model: str, lease: timedelta) -> Turn | None:
    """The right to call now, or None; with the breaker open, only one call has it, and finds out whether to close it."""
    breaker = state(model)
    if not breaker.open:
        return Turn(model)
    until = _probing(model, lease) if breaker.rested else None
    return None if until is None else Turn(model, until)


def give_back(turn: Turn) -> None:
    """No call was made after all: the next may find out at once."""
    if turn.until is not None:
        with connection.cursor() as cursor:
            cursor.execute(_GIVE_BACK, [turn.model, turn.until])


def failed(model: str, error: LensError) -> None:
    """Note a failed call, in the caller's transaction. One that says nothing about the vendor's health changes nothing."""
    lasting = error.code in _LASTING
    if not lasting and not isinstance(error, Transient | Unanswered):
        return
    arguments: dict[str, Any] = {"model": model, "lasting": lasting, "cause": error.code[:50], "most": FAILURES_TO_OPEN}
    with connection.cursor() as cursor:
        cursor.execute(_FAILED, arguments)
    _breakers.forget()


def _probing(model: str, lease: timedelta) -> datetime | None:
    arguments: dict[str, Any] = {"model": model, "lease": lease, "rest": REST}
    with connection.cursor() as cursor:
        cursor.execute(_PROBE, arguments)
        found: tuple[datetime] | None = cursor.fetchone()
    return None if found is None else found[0]
