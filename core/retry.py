"""The only retry policy in the project: an error and the tries so far become a decision; the doing is elsewhere.

Retries are rows with a time, never a sleeping worker and never a broker countdown. Stages ask through `signals/stage.py`, webhooks
through `publishing/webhooks/outcomes.py`; nobody else.
"""

import random
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError

from core.errors import Permanent, Rejected, Transient


@dataclass(frozen=True)
class Policy:
    """Mean waits in seconds before each further try; when they are used up, give up.

    `spread`: how far a wait may stray from its mean, as a share of it. A remote's own Retry-After wins, up to `longest_s`; where
    `at_least` is set it may lengthen a wait and never shorten one.
    """

    waits: tuple[float, ...]
    spread: float = 1.0
    longest_s: float = 60.0
    at_least: bool = False


# What the driver and its pool raise when the database does not answer, or not in time.
DATABASE_AWAY = (OperationalError, InterfaceError)
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

    Jitter: with a spread of 1 the wait is uniform over twice the mean, so a crowd of failures spreads out.
    """
    known = as_known(error)
    if isinstance(known, Rejected):
        return Reject()
    if not isinstance(known, Transient) or tries >= len(policy.waits):
        return Bury()
    mean = policy.waits[tries]
    planned = (jitter or random).uniform((1 - policy.spread) * mean, (1 + policy.spread) * mean)
    if known.retry_after is None:
        return Retry(planned)
    wished = min(known.retry_after, policy.longest_s)
    return Retry(max(wished, planned) if policy.at_least else wished)


def as_known(error: Exception) -> Rejected | Transient | Permanent:
    """The error in the project's own terms: a lost database is transient, whatever else is unknown is a bug."""
    if isinstance(error, Rejected | Transient | Permanent):
        return error
    if isinstance(error, DATABASE_AWAY):
        return Transient("database_down", "The database did not answer.", cause=type(error).__name__)
    return Permanent("internal_error", f"{type(error).__name__}: {error}")
