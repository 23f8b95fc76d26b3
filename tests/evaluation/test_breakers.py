"""A vendor that is down is left alone for a while; one call finds out when it is back."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from prometheus_client import REGISTRY

from core.ids import uuid7
from evaluation import breakers
from evaluation.admission import admitted
from evaluation.models import Breaker, EvaluationModel
from evaluation.selectors import forget_registry
from signals.models import Signal
from tests.evaluation.conftest import Simulator
from tests.evaluation.test_judging import decision, in_parallel, make_claimable, run

pytestmark = pytest.mark.django_db(transaction=True)

Register = Callable[..., EvaluationModel]
Enriched = Callable[..., Signal]


def fail(signal: Signal, times: int) -> None:
    for _ in range(times):
        run(str(signal.pk), "chatgpt")
        make_claimable(signal)


def rest_is_over() -> None:
    Breaker.objects.update(opened_at=Now() - breakers.REST - timedelta(seconds=1))
    forget_registry()


def is_open() -> bool:
    forget_registry()
    return breakers.state("chatgpt").open


def test_five_transient_failures_in_a_row_open_it(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register()
    simulator.script("errors", {"preset": "overloaded"})
    fail(enriched("chatgpt"), 3)
    assert not is_open()
    fail(enriched("chatgpt"), 2)
    assert is_open()
    asked = simulator.totals()["received"]
    signal = enriched("chatgpt")
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    assert (row.status, row.decision, row.fallback, row.calls.count()) == ("breaker_open", "IGNORE", True, 0)
    assert "provider_down" in row.reason
    assert simulator.totals()["received"] == asked
    assert REGISTRY.get_sample_value("lens_model_breaker_open", {"model": "chatgpt"}) == 1


@pytest.mark.parametrize("preset", ["auth", "not_found", "insufficient_quota"])
def test_what_waiting_cannot_mend_opens_it_at_once(
    register: Register, enriched: Enriched, simulator: Simulator, preset: str
) -> None:
    register()
    simulator.script("errors", {"preset": preset})
    run(str(enriched("chatgpt").pk), "chatgpt")
    assert is_open()


def test_a_bad_request_says_nothing_about_the_vendor(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register()
    simulator.script("errors", {"preset": "bad_request"})
    for _ in range(6):
        run(str(enriched("chatgpt").pk), "chatgpt")
    assert not is_open()


def test_an_answer_in_between_starts_the_count_anew(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register()
    for _ in range(2):
        simulator.script("errors", {"preset": "overloaded", "times": 4})
        signal = enriched("chatgpt")
        fail(signal, 2)
        signal = enriched("chatgpt")
        fail(signal, 3)
        assert decision(signal).status == "ok"
    assert Breaker.objects.get().failures == 0
    assert not is_open()


def test_a_closed_breaker_costs_no_statement(register: Register, django_assert_num_queries: Any) -> None:
    register()
    breakers.state("chatgpt")
    with django_assert_num_queries(0):
        turn = breakers.take_turn("chatgpt", timedelta(seconds=5))
        assert turn is not None
        breakers.give_back(turn)


def test_after_its_rest_one_call_of_many_finds_out(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register()
    simulator.script("errors", {"preset": "auth", "times": 1})
    run(str(enriched("chatgpt").pk), "chatgpt")
    rest_is_over()
    simulator.latency(0.3)
    signals = [enriched("chatgpt") for _ in range(4)]
    queue = iter(signals)
    before = simulator.totals()["received"]
    in_parallel(4, lambda: run(str(next(queue).pk), "chatgpt"))
    assert simulator.totals()["received"] == before + 1
    assert sorted(decision(signal).status for signal in signals) == ["breaker_open"] * 3 + ["ok"]
    assert not is_open()


def test_a_probe_that_fails_keeps_it_open_for_another_rest(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register()
    simulator.script("errors", {"preset": "auth"})
    run(str(enriched("chatgpt").pk), "chatgpt")
    rest_is_over()
    run(str(enriched("chatgpt").pk), "chatgpt")
    forget_registry()
    assert breakers.state("chatgpt") == breakers.Breaker(open=True, rested=False, cause="auth_failed")


def test_a_call_that_finds_no_room_leaves_the_turn_to_the_next(
    register: Register, enriched: Enriched, simulator: Simulator
) -> None:
    register(max_in_flight=1)
    simulator.script("errors", {"preset": "auth", "times": 1})
    run(str(enriched("chatgpt").pk), "chatgpt")
    rest_is_over()
    waiting = enriched("chatgpt")
    with admitted(EvaluationModel.objects.get(), uuid7(), timedelta(seconds=5)):
        run(str(waiting.pk), "chatgpt")
    assert decision(waiting).status == ""
    signal = enriched("chatgpt")
    run(str(signal.pk), "chatgpt")
    assert decision(signal).status == "ok"
    assert not is_open()


def test_while_one_finds_out_nobody_waits_for_it(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register(max_in_flight=1, calls_per_minute=3)
    simulator.script("errors", {"preset": "auth", "times": 1})
    run(str(enriched("chatgpt").pk), "chatgpt")
    rest_is_over()
    turn = breakers.take_turn("chatgpt", timedelta(seconds=5))
    assert turn is not None
    others = [enriched("chatgpt") for _ in range(4)]
    for other in others:
        run(str(other.pk), "chatgpt")
    assert [decision(other).status for other in others] == ["breaker_open"] * 4
    breakers.give_back(breakers.Turn("chatgpt", turn.until))
    signal = enriched("chatgpt")
    run(str(signal.pk), "chatgpt")
    assert decision(signal).status == "ok"


def test_one_models_breaker_is_its_own(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register()
    register("gemini")
    simulator.script("errors", {"preset": "auth", "match": {"model": "chatgpt-sandbox"}})
    signal = enriched("chatgpt", "gemini")
    for name in ("chatgpt", "gemini"):
        run(str(signal.pk), name)
    assert [decision(signal, name).status for name in ("chatgpt", "gemini")] == ["provider_error", "ok"]
    assert is_open()
    assert not breakers.state("gemini").open
