"""Claims and the sorting of errors, on real rows."""

from datetime import timedelta

import pytest
from django.db import OperationalError, transaction
from django.db.models.functions import Now

from audit.models import DeadLetter
from core.errors import Permanent, Rejected, Transient
from signals.claims import MOST_CLAIMS, SignalClaim, claim
from signals.lifecycle import advance
from signals.models import Signal, Status
from signals.stage import stage
from tests.conftest import SignalFactory

ERRORS: list[Exception] = []


@stage(lambda event_id: claim(event_id, "enrich"))
def work(held: SignalClaim) -> None:
    if ERRORS:
        raise ERRORS[0]


@pytest.fixture(autouse=True)
def _healthy() -> None:
    ERRORS.clear()


def reload(signal: Signal) -> Signal:
    return Signal.objects.get(pk=signal.pk)


def test_a_claim_is_a_lease_that_only_one_worker_gets(make_signal: SignalFactory) -> None:
    signal = make_signal()
    assert claim(signal.pk, "enrich") is not None
    assert claim(signal.pk, "enrich") is None
    row = reload(signal)
    assert row.lease_until is not None
    assert row.next_attempt_at == row.lease_until
    assert row.claims == 1


@pytest.mark.parametrize("status", [status for status in Status if status != Status.QUEUED])
def test_a_stage_is_claimed_only_where_it_is_due(make_signal: SignalFactory, status: Status) -> None:
    signal = make_signal()
    Signal.objects.filter(pk=signal.pk).update(status=status)
    assert claim(signal.pk, "enrich") is None


def test_a_lease_that_ran_out_is_taken_over(make_signal: SignalFactory) -> None:
    signal = make_signal()
    claim(signal.pk, "enrich")
    Signal.objects.filter(pk=signal.pk).update(lease_until=Now() - timedelta(seconds=1))
    held = claim(signal.pk, "enrich")
    assert held is not None
    assert held.signal.claims == 2


def test_work_that_kills_its_workers_is_buried_after_three_starts(make_signal: SignalFactory) -> None:
    signal = make_signal()
    Signal.objects.filter(pk=signal.pk).update(claims=MOST_CLAIMS, lease_until=Now() - timedelta(seconds=1))
    assert work(str(signal.pk)) is None
    assert reload(signal).status == Status.DLQ
    assert DeadLetter.objects.get(event_id=signal.pk).reason_code == "worker_lost"


def test_a_rejection_is_a_result_with_its_numbers(make_signal: SignalFactory) -> None:
    signal = make_signal()
    ERRORS.append(Rejected("price_drift", "moved too far", drift_bps="250"))
    held = work(str(signal.pk))
    assert held is not None
    assert held.signal.status == Status.REJECTED
    assert reload(signal).rejection == {"code": "price_drift", "detail": "moved too far", "drift_bps": "250"}
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("error", [Transient("provider_down", "down"), OperationalError("gone")])
def test_a_transient_error_is_a_row_with_a_time(make_signal: SignalFactory, error: Exception) -> None:
    signal = make_signal()
    ERRORS.append(error)
    work(str(signal.pk))
    row = reload(signal)
    assert (row.status, row.attempts, row.claims, row.lease_until) == (Status.QUEUED, 1, 0, None)
    assert row.not_before == row.next_attempt_at
    assert claim(signal.pk, "enrich") is None or row.not_before is None


def test_the_sixth_transient_error_buries_the_signal(make_signal: SignalFactory) -> None:
    signal = make_signal()
    ERRORS.append(Transient("provider_down", "the venue did not answer", endpoint="allMids"))
    for _ in range(6):
        Signal.objects.filter(pk=signal.pk).update(not_before=None)
        work(str(signal.pk))
    row = reload(signal)
    assert (row.status, row.buried_from) == (Status.DLQ, Status.QUEUED)
    letter = DeadLetter.objects.get(event_id=signal.pk)
    assert (letter.stage, letter.reason_code, letter.attempts, letter.status) == ("enrich", "provider_down", 6, "open")
    assert letter.payload["endpoint"] == "allMids"
    assert letter.payload["entry_price"] == "60000.00000000"


@pytest.mark.parametrize("error", [Permanent("unknown_profile", "no such profile"), ZeroDivisionError("division by zero")])
def test_what_cannot_be_helped_is_buried_at_once_with_its_traceback(make_signal: SignalFactory, error: Exception) -> None:
    signal = make_signal()
    ERRORS.append(error)
    work(str(signal.pk))
    letter = DeadLetter.objects.get(event_id=signal.pk)
    assert letter.attempts == 1
    assert "raise ERRORS[0]" in letter.traceback
    assert type(error).__qualname__ in letter.error_type


def test_work_that_succeeds_leaves_the_verdict_to_the_work(make_signal: SignalFactory) -> None:
    signal = make_signal()
    held = work(str(signal.pk))
    assert held is not None
    assert reload(signal).status == Status.QUEUED


@stage(lambda event_id: claim(event_id, "enrich"))
def moving(held: SignalClaim) -> None:
    with transaction.atomic():
        advance(held.signal, Status.ENRICHED)
        raise ERRORS[0]


@pytest.mark.parametrize(("error", "stands"), [(OperationalError("gone"), Status.QUEUED), (ValueError("a bug"), Status.DLQ)])
def test_what_fails_after_a_move_is_sorted_from_where_it_stood(
    make_signal: SignalFactory, error: Exception, stands: Status
) -> None:
    signal = make_signal()
    ERRORS.append(error)
    moving(str(signal.pk))
    row = reload(signal)
    assert row.status == stands
    assert (row.claims, row.lease_until) == (0, None)
    assert row.attempts == (1 if stands == Status.QUEUED else 0)
    assert DeadLetter.objects.filter(event_id=signal.pk).exists() == (stands == Status.DLQ)
