"""The moves that exist, who may make them, and what they leave behind."""

import itertools

import pytest
from django.db import transaction

from audit.selectors import timeline
from signals.lifecycle import DUE, NEXT, SETTLED, UNHEARD, ImpossibleMoveError, advance
from signals.models import Signal, Status
from tests.conftest import SignalFactory

MOVES = [(here, there) for here, there in itertools.product(Status, Status)]


def placed(signal: Signal, status: Status) -> Signal:
    Signal.objects.filter(pk=signal.pk).update(status=status)
    signal.status = status
    return signal


@pytest.mark.parametrize(("here", "there"), MOVES)
def test_only_the_moves_of_the_table_are_made(make_signal: SignalFactory, here: Status, there: Status) -> None:
    signal = placed(make_signal(), here)
    with transaction.atomic():
        if there in NEXT[here]:
            assert advance(signal, there) is True
        else:
            with pytest.raises(ImpossibleMoveError):
                advance(signal, there)
    assert Signal.objects.get(pk=signal.pk).status == (there if there in NEXT[here] else here)


def test_the_timeline_is_written_by_the_mover(make_signal: SignalFactory) -> None:
    signal = make_signal()
    with transaction.atomic():
        advance(signal, Status.ENRICHED, details={"profile": "x"})
    assert [(entry.status, entry.details) for entry in timeline(signal.pk)] == [
        ("received", {"source": "desk_7"}),
        ("enriched", {"profile": "x"}),
    ]


def test_the_second_mover_is_told_so_and_writes_nothing(make_signal: SignalFactory) -> None:
    signal = make_signal()
    late = Signal.objects.get(pk=signal.pk)
    with transaction.atomic():
        assert advance(signal, Status.ENRICHED)
    with transaction.atomic():
        assert not advance(late, Status.ENRICHED)
    assert len(timeline(signal.pk)) == 2


def test_a_worker_of_an_older_round_moves_nothing(make_signal: SignalFactory) -> None:
    signal = make_signal()
    Signal.objects.filter(pk=signal.pk).update(evaluation=1)
    with transaction.atomic():
        assert not advance(signal, Status.ENRICHED)


@pytest.mark.parametrize("there", [Status.ENRICHED, Status.REJECTED, Status.DLQ])
def test_what_is_owed_next_is_on_the_row(make_signal: SignalFactory, there: Status) -> None:
    signal = make_signal()
    Signal.objects.filter(pk=signal.pk).update(claims=2, attempts=3, dispatches=4)
    with transaction.atomic():
        advance(signal, there)
    row = Signal.objects.get(pk=signal.pk)
    assert row.next_attempt_at is not None
    assert (row.claims, row.attempts, row.dispatches, row.lease_until, row.not_before) == (0, 0, 0, None, None)


def test_nothing_is_owed_to_a_published_signal(make_signal: SignalFactory) -> None:
    signal = placed(make_signal(), Status.EVALUATED)
    with transaction.atomic():
        advance(signal, Status.PUBLISHED)
    assert Signal.objects.get(pk=signal.pk).next_attempt_at is None


def test_every_stage_is_due_somewhere_and_every_end_is_an_end() -> None:
    assert set(DUE.values()) <= set(Status)
    assert {status for status, moves in NEXT.items() if not moves} == {Status.REJECTED, Status.FAILED}
    assert not SETTLED & UNHEARD


@pytest.mark.django_db(transaction=True)
def test_a_move_needs_its_callers_transaction(make_signal: SignalFactory) -> None:
    with pytest.raises(ImpossibleMoveError):
        advance(make_signal(), Status.ENRICHED)
