"""The sweep sends what is owed, and only that; alone, stateless, patient with a dead broker."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from core.clock import now
from signals import sweep as sweeping
from signals.models import Pulse, Signal, Status
from signals.sweep import _LOCK
from tests.conftest import SignalFactory

pytestmark = pytest.mark.django_db(transaction=True)


class Sent:
    """Takes the place of the canvas: notes what it is asked to resume."""

    def __init__(self, fail: bool = False, worth_it: bool = True) -> None:
        self.signals: list[str] = []
        self.fail = fail
        self.worth_it = worth_it

    def __call__(self, signal: Signal) -> bool:
        if self.fail:
            raise OperationalError("no broker")
        self.signals.append(str(signal.pk))
        return self.worth_it


@dataclass
class Foreseen:
    """Takes the place of what the rows say."""

    send: Callable[[Signal], bool]
    think: Callable[[Signal], datetime | None]

    def resume(self, signal: Signal) -> bool:
        return self.send(signal)

    def next_due(self, signal: Signal) -> datetime | None:
        return self.think(signal)


def sweep(send: Callable[[Signal], bool], think: Callable[[Signal], datetime | None]) -> int:
    return sweeping.sweep(lambda _: Foreseen(send, think))


def unknown(_: Signal) -> datetime | None:
    return None


def overdue(signal: Signal, **changes: object) -> Signal:
    Signal.objects.filter(pk=signal.pk).update(next_attempt_at=Now() - timedelta(seconds=1), **changes)
    return Signal.objects.get(pk=signal.pk)


def looks_again_in(signal: Signal) -> float:
    row = Signal.objects.get(pk=signal.pk)
    assert row.next_attempt_at is not None
    return (row.next_attempt_at - now()).total_seconds()


def test_only_what_is_overdue_is_sent(make_signal: SignalFactory) -> None:
    late, fresh, done = overdue(make_signal()), make_signal(), make_signal()
    Signal.objects.filter(pk=done.pk).update(status=Status.PUBLISHED, next_attempt_at=None)
    sent = Sent()
    assert sweep(sent, unknown) == 1
    assert sent.signals == [str(late.pk)]
    assert looks_again_in(fresh) > 3


@pytest.mark.parametrize(("dispatches", "wait"), [(0, 5), (1, 10), (2, 20), (3, 40), (9, 40)])
def test_each_look_waits_twice_as_long(make_signal: SignalFactory, dispatches: int, wait: int) -> None:
    signal = overdue(make_signal(), dispatches=dispatches)
    sweep(Sent(), unknown)
    assert looks_again_in(signal) == pytest.approx(wait, abs=1)
    assert Signal.objects.get(pk=signal.pk).dispatches == dispatches + 1


@pytest.mark.parametrize(("known", "wait"), [(2.5, 2.5), (-60, 1), (300, 5)])
def test_what_the_rows_know_brings_the_next_look_forward(make_signal: SignalFactory, known: float, wait: float) -> None:
    signal = overdue(make_signal())
    sweep(Sent(), lambda _: now() + timedelta(seconds=known))
    assert looks_again_in(signal) == pytest.approx(wait, abs=0.5)


@pytest.mark.parametrize("sent", [Sent(fail=True), Sent(worth_it=False)], ids=["dead broker", "long queue"])
def test_what_was_not_sent_was_not_looked_at(make_signal: SignalFactory, sent: Sent) -> None:
    signals = [overdue(make_signal()) for _ in range(3)]
    sweep(sent, unknown)
    for signal in signals:
        assert Signal.objects.get(pk=signal.pk).dispatches == 0
        assert looks_again_in(signal) < 2


def test_what_came_to_its_end_while_it_was_not_sent_is_never_looked_at_again(make_signal: SignalFactory) -> None:
    signal = overdue(make_signal())

    def finish(found: Signal) -> bool:
        Signal.objects.filter(pk=found.pk).update(status=Status.PUBLISHED, next_attempt_at=None)
        return False

    assert sweep(finish, unknown) == 1
    assert Signal.objects.get(pk=signal.pk).next_attempt_at is None
    assert sweep(Sent(), unknown) == 0


def test_while_it_thinks_and_sends_it_holds_no_row(make_signal: SignalFactory) -> None:
    signals = [overdue(make_signal()) for _ in range(3)]
    free: list[int] = []

    def others_may_lock() -> None:
        def elsewhere() -> None:
            with transaction.atomic():
                free.append(len(Signal.objects.select_for_update(skip_locked=True)))
            connection.close()

        other = threading.Thread(target=elsewhere)
        other.start()
        other.join()

    def think(_: Signal) -> datetime:
        others_may_lock()
        return now() + timedelta(seconds=2)

    def send(_: Signal) -> bool:
        others_may_lock()
        return True

    assert sweep(send, think) == 3
    assert free == [3] * 6
    assert all(looks_again_in(signal) < 3 for signal in signals)


def test_a_row_that_somebody_works_on_holds_up_nothing(make_signal: SignalFactory) -> None:
    held, other = [overdue(make_signal()) for _ in range(2)]
    locked, done = threading.Event(), threading.Event()

    def worker() -> None:
        with transaction.atomic():
            Signal.objects.select_for_update().get(pk=held.pk)
            locked.set()
            done.wait(20)
        connection.close()

    working = threading.Thread(target=worker)

    def too_busy(_: Signal) -> bool:
        if not working.is_alive():
            working.start()
            locked.wait(20)
        return False

    assert sweep(too_busy, unknown) == 2
    assert looks_again_in(held) > 3
    assert looks_again_in(other) < 2
    done.set()
    working.join()


def test_a_second_sweep_at_the_same_time_does_nothing(make_signal: SignalFactory) -> None:
    overdue(make_signal())
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            held.set()
            release.wait(10)
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    held.wait(10)
    assert sweep(Sent(), unknown) == 0
    release.set()
    other.join()
    assert sweep(Sent(), unknown) == 1


def test_the_sweep_leaves_its_pulse() -> None:
    sweep(Sent(), unknown)
    assert (now() - Pulse.objects.get(name="sweep").at).total_seconds() < 5
