"""One flight per key: what is shared, what is kept, what is forgotten."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, Event

import pytest

from core.errors import Transient
from enrichment.sharing import Shared, landed


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


def test_a_hundred_askers_at_once_cost_one_call(pool: ThreadPoolExecutor) -> None:
    shared: Shared[str, int] = Shared(pool)
    calls: list[int] = []
    together, open_gate = Barrier(100), Event()

    def load() -> int:
        calls.append(1)
        open_gate.wait(10)
        return 42

    def ask(_: int) -> int:
        together.wait(10)
        flight = shared.ask("BTC", load, lambda _: True)
        open_gate.set()
        return landed(flight, 10)

    with ThreadPoolExecutor(100) as askers:
        assert list(askers.map(ask, range(100))) == [42] * 100
    assert len(calls) == 1


def test_an_answer_is_kept_only_while_it_is_fresh_and_only_for_its_key(pool: ThreadPoolExecutor) -> None:
    shared: Shared[str, int] = Shared(pool)
    answers = iter(range(10))
    asked = [("a", True), ("a", True), ("b", True), ("a", False), ("a", True)]
    found = [landed(shared.ask(key, partial(next, answers), partial(lambda fresh, _: fresh, fresh)), 5) for key, fresh in asked]
    assert found == [0, 0, 1, 2, 2]


def test_an_error_reaches_everyone_on_that_flight_and_is_not_kept(pool: ThreadPoolExecutor) -> None:
    shared: Shared[str, int] = Shared(pool)
    gate = Event()

    def fail() -> int:
        gate.wait(10)
        raise Transient("provider_down", "gone")

    flights = [shared.ask("a", fail, lambda _: True) for _ in range(3)]
    gate.set()
    for flight in flights:
        with pytest.raises(Transient, match="provider_down"):
            landed(flight, 5)
    assert landed(shared.ask("a", lambda: 7, lambda _: True), 5) == 7


def test_waiting_ends_although_the_flight_does_not(pool: ThreadPoolExecutor) -> None:
    shared: Shared[str, bool] = Shared(pool)
    gate = Event()
    started = time.monotonic()
    with pytest.raises(Transient, match="timeout"):
        landed(shared.ask("a", lambda: gate.wait(30), lambda _: True), 0.05)
    assert time.monotonic() - started < 5
    gate.set()


def test_the_oldest_answers_go_first(pool: ThreadPoolExecutor) -> None:
    shared: Shared[int, int] = Shared(pool, most=2)
    for key in (1, 2, 3):
        landed(shared.ask(key, partial(int, key), lambda _: True), 5)
    assert landed(shared.ask(1, lambda: -1, lambda _: True), 5) == -1
    assert landed(shared.ask(3, lambda: -3, lambda _: True), 5) == 3
