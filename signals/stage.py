"""How every stage runs: due? run; sort the error. The only broad `except` in the house.

claim ──▶ None: not due, or another worker has it
  └─────▶ work ──▶ done
            └────▶ error ──▶ core.retry.decide ──▶ retry as a row │ reject │ bury
"""

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

from core.logs import log_context
from core.retry import Bury, Policy, Reject, Retry, decide
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
            held = claim(*args, **kwargs)
            if held is not None:
                with log_context(event_id=str(held.signal.pk), stage=held.stage):
                    _run(work, held)
            return held

        return run

    return around


def _run(work: Callable[[C], None], held: C) -> None:
    try:
        work(held)
    except Exception as error:  # noqa: BLE001  the one place where every error is sorted
        _settle(held, error)


def _settle(held: Claim, error: Exception) -> None:
    match decide(error, held.tries, held.policy):
        case Retry(after):
            logger.warning("stage failed, retrying", extra={"error": str(error), "after_s": round(after, 2), "tries": held.tries})
            held.retry(after, error)
        case Reject():
            logger.info("signal rejected", extra={"error": str(error)})
            held.reject(error)
        case Bury():
            logger.error("stage gave up", extra={"tries": held.tries}, exc_info=error)
            held.bury(error)
