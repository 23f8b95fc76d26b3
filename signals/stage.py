"""How every stage runs: due? run; sort the error. The only broad `except` in the house.

claim ──▶ None: not due, or another worker has it
  └─────▶ work ──▶ done
            └────▶ error ──▶ core.retry.decide ──▶ retry as a row │ reject │ bury

While the database does not answer, nothing can be claimed and no outcome be written. Neither is lost: what is owed stays owed in
the rows, and the sweep sends it again when it is due or its lease has run out. That is one line in the log and no exception.
"""

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

from django.db import connection

from core.logs import log_context
from core.retry import DATABASE_AWAY, Bury, Policy, Reject, Retry, decide
from signals.models import Signal

logger = logging.getLogger(__name__)

P = ParamSpec("P")


class Claim(Protocol):
    """The right to work on one thing now, and what to do when the work fails. Each verb stores its outcome in one transaction."""

    signal: Signal
    stage: str
    tries: int
    policy: Policy

    def retry(self, after: float, error: Exception) -> None:
        """Owed again in `after` seconds."""

    def reject(self, error: Exception) -> None:
        """End with the error as the result."""

    def bury(self, error: Exception) -> None:
        """Give up, the cause kept."""


C = TypeVar("C", bound=Claim)


def stage(claim: Callable[P, C | None]) -> Callable[[Callable[[C], None]], Callable[P, C | None]]:
    """Turn a body that takes a claim into a function that takes ids.

    It returns the claim it worked on, whose `signal.status` tells where that led, or None when there was nothing to do here.
    """

    def around(work: Callable[[C], None]) -> Callable[P, C | None]:
        @functools.wraps(work)
        def run(*args: P.args, **kwargs: P.kwargs) -> C | None:
            held = _claimed(functools.partial(claim, *args, **kwargs))
            if held is not None:
                with log_context(event_id=str(held.signal.pk), stage=held.stage):
                    _run(work, held)
            return held

        return run

    return around


def _claimed(take: Callable[[], C | None]) -> C | None:
    try:
        return take()
    except DATABASE_AWAY as error:
        logger.warning("nothing could be claimed, the sweep sends it again", extra={"error": str(error)})
        return None


def _run(work: Callable[[C], None], held: C) -> None:
    stood = held.signal.status
    try:
        work(held)
    except Exception as error:  # noqa: BLE001  the one place where every error is sorted
        # A move that was not committed did not happen; one that was is not this claim's any more.
        held.signal.status = stood
        _write_down(held, error)


def _write_down(held: Claim, error: Exception) -> None:
    if isinstance(error, DATABASE_AWAY) and not connection.in_atomic_block:
        # The connection that broke would break this, too; the next statement takes another.
        connection.close()
    try:
        _settle(held, error)
    except DATABASE_AWAY as away:
        logger.warning("no outcome could be stored, the lease runs out", extra={"error": str(error), "because": str(away)})


def _settle(held: Claim, error: Exception) -> None:
    match decide(error, held.tries, held.policy):
        case Retry(after):
            logger.warning("stage failed, retrying", extra={"error": str(error), "after_s": round(after, 2), "tries": held.tries})
            held.retry(after, error)
        case Reject():
            logger.info("signal rejected", extra={"error": str(error)})
            held.reject(error)
        case Bury():
            # A database that is away has no story to tell: the same one, from every thread at once.
            story = None if isinstance(error, DATABASE_AWAY) else error
            logger.error("stage gave up", extra={"error": str(error), "tries": held.tries}, exc_info=story)
            held.bury(error)
