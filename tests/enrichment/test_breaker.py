"""The breaker: when it opens, who probes, what a probe leads to."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core import telemetry
from core.errors import Transient
from enrichment.providers import breaker as breakers
from enrichment.providers.breaker import FAILURES, LONGEST_REST_S, REST_S, Breaker


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(breakers, "time", made)
    return made


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("venue", "l2Book")


def shown() -> float:
    gauge: Any = telemetry.provider_breaker.labels(provider="venue", endpoint="l2Book")
    return float(gauge._value.get())


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.enter()
        breaker.failed()


def refused(breaker: Breaker) -> float | None:
    """The wait it asks for; None when it lets the question pass."""
    try:
        breaker.enter()
    except Transient as error:
        return error.retry_after if error.code == "provider_down" else -1.0
    return None


def test_failures_in_a_row_open_it_and_an_answer_between_them_does_not(breaker: Breaker) -> None:
    for _ in range(3):
        fail(breaker, FAILURES - 1)
        breaker.enter()
        breaker.succeeded()
    assert shown() == 0
    fail(breaker, FAILURES)
    assert refused(breaker) == REST_S
    assert shown() == 2


def test_one_probe_passes_after_the_rest_and_its_answer_closes_it(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, FAILURES)
    clock.now += REST_S
    assert refused(breaker) is None
    assert shown() == 1
    assert refused(breaker) is not None
    breaker.succeeded()
    assert shown() == 0
    fail(breaker, FAILURES - 1)
    assert refused(breaker) is None


def test_a_failed_probe_rests_twice_as_long_up_to_a_bound(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, FAILURES)
    rests = []
    for _ in range(6):
        rest = refused(breaker)
        assert rest is not None
        rests.append(rest)
        clock.now += rest
        fail(breaker, 1)
    assert rests == [2, 4, 8, 16, LONGEST_REST_S, LONGEST_REST_S]
    clock.now += LONGEST_REST_S
    breaker.enter()
    breaker.succeeded()
    fail(breaker, FAILURES)
    assert refused(breaker) == REST_S


def test_failures_of_questions_still_on_their_way_do_not_lengthen_the_rest(breaker: Breaker, clock: Clock) -> None:
    for _ in range(20):
        breaker.enter()
    for _ in range(20):
        breaker.failed()
    clock.now += REST_S - 0.5
    assert refused(breaker) == 0.5


def test_a_probe_that_was_not_sent_leaves_its_place_to_the_next(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, FAILURES)
    clock.now += REST_S
    breaker.enter()
    breaker.released()
    assert refused(breaker) is None


def test_a_probe_nobody_hears_of_again_does_not_shut_it_for_ever(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, FAILURES)
    clock.now += REST_S
    breaker.enter()
    clock.now += REST_S
    assert refused(breaker) is None


def test_of_a_crowd_one_probes(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, FAILURES)
    clock.now += REST_S
    with ThreadPoolExecutor(16) as crowd:
        assert list(crowd.map(lambda _: refused(breaker), range(64))).count(None) == 1
