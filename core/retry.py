"""The only retry policy in the project: an error and the tries so far become a decision; the doing is elsewhere.

Retries are rows with a time, never a sleeping worker and never a broker countdown. `signals/stage.py` is the only caller.
"""

import random
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError

from core.errors import Permanent, Rejected, Transient

LONGEST_WAIT_S = 60.0


@dataclass(frozen=True)
class Policy:
    """Mean waits in seconds before each further try; when they are used up, give up."""

    waits: tuple[float, ...]


PATIENT = Policy((2, 4, 8, 16, 30))
BRIEF = Policy((1, 3))


@dataclass(frozen=True)
class Retry:
    """Try again `after` seconds from now."""

    after: float


@dataclass(frozen=True)
class Reject:
    """End as rejected: a result, with its reason."""


@dataclass(frozen=True)
class Bury:
    """Give up and keep the cause for a person."""


Decision = Retry | Reject | Bury


def decide(error: Exception, tries: int, policy: Policy, jitter: random.Random | None = None) -> Decision:
    """What an error leads to when `tries` failures of the same step came before it.

    Full jitter: the wait is uniform over twice the mean, so a crowd of failures spreads out. The remote's own Retry-After wins,
    up to `LONGEST_WAIT_S`.
    """
    known = as_known(error)
    if isinstance(known, Rejected):
        return Reject()
    if not isinstance(known, Transient) or tries >= len(policy.waits):
        return Bury()
    if known.retry_after is not None:
        return Retry(min(known.retry_after, LONGEST_WAIT_S))
    return Retry((jitter or random).uniform(0, 2 * policy.waits[tries]))


def as_known(error: Exception) -> Rejected | Transient | Permanent:
    """The error in the project's own terms: a lost database is transient, whatever else is unknown is a bug."""
    if isinstance(error, Rejected | Transient | Permanent):
        return error
    if isinstance(error, OperationalError | InterfaceError):
        return Transient("database_down", "The database did not answer.", cause=type(error).__name__)
    return Permanent("internal_error", f"{type(error).__name__}: {error}")
