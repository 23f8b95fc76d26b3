"""A signal at the gateway: within its sender's limits, or refused; a repetition of one that was taken is always welcome."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db.models import QuerySet
from django.db.models.functions import Now

from access.throttling import Charge, charged
from access.windows import LONG_SPAN_S, Limits
from core.clock import seconds
from signals.models import Signal
from signals.services import Submission, submit


@dataclass(frozen=True)
class Taken:
    """The stored signal, whether this request made it, and the answer's `RateLimit` headers."""

    signal: Signal
    new: bool
    headers: Mapping[str, str]


def leave_to_the_sweep(_: str) -> None:
    """No hand-over: the stored row is found within seconds. The address table puts the pipeline's `start` in its place."""


def take(submission: Submission, limits: Limits, start: Callable[[str], None]) -> Taken:
    """`submit`, counted: only what makes a new signal costs. Raises Problem rate_limited, and what `submit` raises."""
    new = False
    with charged(submission.caller, limits, submission.idempotency_key) as charge:
        if not charge.accepted and not _same_key(submission).exists():
            raise charge.refusal()
        try:
            signal, new = submit(submission, start)
        finally:
            if not new:
                _settle(charge, submission)
    return Taken(signal, new, charge.headers)


def _settle(charge: Charge, submission: Submission) -> None:
    """Nothing was stored, so the place is given back, unless a request with the same key stored its signal meanwhile.

    Of requests that arrive at once one takes the place for all, and another may be the one that stores.
    """
    if charge.took_place:
        recent = _same_key(submission).filter(received_at__gt=Now() - seconds(LONG_SPAN_S))
        if recent.exists():
            charge.keep()
        else:
            charge.refund()


def _same_key(submission: Submission) -> QuerySet[Signal]:
    if submission.idempotency_key is None:
        return Signal.objects.none()
    return Signal.objects.filter(caller=submission.caller, idempotency_key=submission.idempotency_key)
