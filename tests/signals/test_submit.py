"""Taking a signal in: one transaction, one signal per key, whatever happens to the hand-over."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection
from rest_framework.serializers import ValidationError

from audit.selectors import timeline
from core.problem import Problem
from signals import services
from signals.api import AmountField
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


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("1.00000000000000000000000000000000000001", None),
        ("1.000000001", None),
        ("123456789012.123456789", None),
        ("1.00000000000000000000000000000000000000", Decimal(1)),
        ("1.00000001", Decimal("1.00000001")),
    ],
)
def test_what_would_be_stored_rounded_is_refused(sent: str, kept: Decimal | None) -> None:
    field = AmountField()
    if kept is None:
        with pytest.raises(ValidationError, match="At most 8 decimals"):
            field.run_validation(sent)
    else:
        assert field.run_validation(sent) == kept


def test_the_first_hundred_sources_keep_their_name_in_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST_LABELS", 2)
    for source in ("desk_a", "desk_b", "desk_c"):
        submit(Submission(signal_fields(source=source), "key:a", None), nowhere)
    services._known_sources.pop("desk_a")
    submit(Submission(signal_fields(source="desk_a"), "key:a", None), nowhere)
    assert services._known_sources == {"desk_a": "desk_a", "desk_b": "desk_b", "desk_c": "other"}


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
