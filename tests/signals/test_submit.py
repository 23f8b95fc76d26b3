"""Taking a signal in: one transaction, one signal per key, whatever happens to the hand-over."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection

from audit.selectors import timeline
from core.problem import Problem
from signals.models import Signal, Source
from signals.services import Submission, submit
from tests.conftest import signal_fields

pytestmark = pytest.mark.django_db(transaction=True)


def nowhere(_: str) -> None:
    """A hand-over that goes well and leads nowhere."""


def test_signal_and_timeline_are_stored_before_the_hand_over() -> None:
    seen: list[int] = []
    signal, new = submit(
        Submission(signal_fields(), "key:a", None), lambda event_id: seen.append(len(timeline(Signal(pk=event_id).pk)))
    )
    assert new
    assert seen == [1]
    assert Source.objects.filter(name=signal.source).exists()
    assert Signal.objects.get(pk=signal.pk).next_attempt_at is not None


def test_a_hand_over_that_crashes_loses_nothing() -> None:
    def crash(_: str) -> None:
        raise ConnectionError("no broker")

    signal, new = submit(Submission(signal_fields(), "key:a", "k1"), crash)
    assert new
    assert Signal.objects.get(pk=signal.pk).status == "queued"


def test_the_same_key_gives_the_same_signal() -> None:
    fields = signal_fields()
    first, new = submit(Submission(fields, "key:a", "k1"), nowhere)
    second, again = submit(Submission(fields, "key:a", "k1"), nowhere)
    assert (new, again) == (True, False)
    assert first.pk == second.pk
    assert first.received_at == second.received_at


def test_another_body_under_the_same_key_is_refused() -> None:
    fields = signal_fields()
    submit(Submission(fields, "key:a", "k1"), nowhere)
    with pytest.raises(Problem) as refused:
        submit(Submission({**fields, "size": Decimal("0.2")}, "key:a", "k1"), nowhere)
    assert refused.value.problem_code == "idempotency_key_reused"


def test_a_key_belongs_to_its_caller() -> None:
    fields = signal_fields()
    first, _ = submit(Submission(fields, "key:a", "k1"), nowhere)
    second, new = submit(Submission(fields, "key:b", "k1"), nowhere)
    assert new
    assert first.pk != second.pk


def test_equal_amounts_have_one_fingerprint() -> None:
    fields = signal_fields()
    same = {**fields, "entry_price": Decimal("60000.00")}
    assert Submission(fields, "a", None).fingerprint == Submission(same, "a", None).fingerprint


def test_fifty_at_once_with_one_key_make_one_signal() -> None:
    fields = signal_fields()
    gate = threading.Barrier(50)

    def send() -> tuple[str, bool]:
        gate.wait()
        try:
            signal, new = submit(Submission(fields, "key:a", "k1"), nowhere)
            return str(signal.pk), new
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as pool:
        answers = [future.result() for future in [pool.submit(send) for _ in range(50)]]
    assert len({event_id for event_id, _ in answers}) == 1
    assert sum(new for _, new in answers) == 1
    assert Signal.objects.count() == 1
