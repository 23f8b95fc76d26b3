"""What each kind of error leads to, as a table."""

import random

import pytest
from django.db import InterfaceError, OperationalError

from core.errors import Permanent, Rejected, Transient
from core.retry import BRIEF, PATIENT, Bury, Reject, Retry, as_known, decide


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Rejected("signal_too_old", "too old"), Reject),
        (Permanent("unknown_profile", "no such profile"), Bury),
        (Transient("provider_down", "down"), Retry),
        (OperationalError("server closed the connection"), Retry),
        (InterfaceError("connection already closed"), Retry),
        (KeyError("a bug"), Bury),
    ],
)
def test_each_kind_of_error_leads_to_its_own_end(error: Exception, kind: type) -> None:
    assert isinstance(decide(error, 0, PATIENT), kind)


def test_a_transient_error_is_given_up_after_the_waits_are_used_up() -> None:
    error = Transient("provider_down", "down")
    outcomes = [type(decide(error, tries, PATIENT)) for tries in range(7)]
    assert outcomes == [Retry] * 5 + [Bury] * 2
    assert [type(decide(error, tries, BRIEF)) for tries in range(3)] == [Retry, Retry, Bury]


def test_waits_are_spread_over_twice_their_mean() -> None:
    jitter = random.Random(7)
    for tries, mean in enumerate(PATIENT.waits):
        waits = [decide(Transient("x", "x"), tries, PATIENT, jitter) for _ in range(400)]
        seconds = [wait.after for wait in waits if isinstance(wait, Retry)]
        assert len(seconds) == 400
        assert 0 <= min(seconds) < 0.1 * mean
        assert 1.9 * mean < max(seconds) <= 2 * mean


@pytest.mark.parametrize(("asked", "waits"), [(7.0, 7.0), (0.0, 0.0), (3_600.0, PATIENT.longest_s)])
def test_the_remotes_own_wish_wins_within_bounds(asked: float, waits: float) -> None:
    assert decide(Transient("rate_limited", "slow down", retry_after=asked), 0, PATIENT) == Retry(waits)


def test_a_bug_keeps_its_type_in_the_message() -> None:
    assert as_known(ZeroDivisionError("division by zero")).detail == "ZeroDivisionError: division by zero"
