"""Budgets hold: whoever reserves, however many at once, whatever is killed in between."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError
from django.db.models import F
from django.db.models.functions import Now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.models import TimelineEntry
from core.clock import now
from core.ids import uuid7
from evaluation import budget
from evaluation.budget import Hold, Limit
from evaluation.claims import claim
from evaluation.models import Budget, Decision, EvaluationModel, ModelCall, Price, Reservation, Spend
from evaluation.prices import worst_case
from evaluation.prompting import render
from evaluation.selectors import forget_registry, rates_of
from signals.models import Signal
from tests.evaluation.conftest import Simulator
from tests.evaluation.test_judging import decision, in_parallel, make_claimable, run

pytestmark = pytest.mark.django_db(transaction=True)

Register = Callable[..., EvaluationModel]
Enriched = Callable[..., Signal]


@dataclass(frozen=True)
class Lease:
    """Twenty seconds from now."""

    token: UUID = field(default_factory=uuid7)
    until: datetime = field(default_factory=lambda: now() + timedelta(seconds=20))


NOTHING = Decimal(0)


def limit(scope: str, name: str, dollars: str) -> Limit:
    if scope == "model":
        EvaluationModel.objects.filter(name=name).update(daily_budget_usd=Decimal(dollars))
    else:
        Budget.objects.create(scope=scope, name=name, usd_per_day=Decimal(dollars))
    forget_registry()
    return Limit(scope, name, Decimal(dollars))


def priced(model: EvaluationModel, **rates: Any) -> EvaluationModel:
    Price.objects.create(model=model, **{"input_usd": "2.5", "output_usd": "10", "cached_usd": "1.25", **rates})
    forget_registry()
    return model


def hold(amount: str, *limits: Limit) -> Hold | Limit:
    return budget.reserve(Decimal(amount), limits, Lease())


def spend(of: Limit) -> Spend:
    return Spend.objects.get(scope=of.scope, name=of.name)


def test_money_is_set_aside_and_then_booked() -> None:
    total = limit("total", "", "1")
    held = hold("0.4", total)
    assert isinstance(held, Hold)
    assert (spend(total).reserved_usd, spend(total).spent_usd) == (Decimal("0.4"), NOTHING)
    budget.settle(held, Decimal("0.1"))
    assert (spend(total).reserved_usd, spend(total).spent_usd) == (NOTHING, Decimal("0.1"))
    assert not Reservation.objects.exists()


def test_what_does_not_fit_into_every_budget_is_set_aside_in_none() -> None:
    total, model = limit("total", "", "1"), limit("model", "chatgpt", "0.3")
    assert hold("0.4", total, model) == model
    assert not Spend.objects.filter(reserved_usd__gt=0).exists()
    assert isinstance(hold("0.3", total, model), Hold)
    assert hold("0.1", total, model) == model
    assert spend(total).reserved_usd == Decimal("0.3")


def test_a_cap_can_be_raised_and_lowered_during_the_day() -> None:
    low, middle, high = (Limit("total", "", Decimal(dollars)) for dollars in ("0.5", "1", "2"))
    assert isinstance(hold("0.9", middle), Hold)
    assert isinstance(hold("0.9", high), Hold)
    assert hold("0.1", low) == low
    assert spend(low).cap_usd == 2


def test_what_a_dead_worker_set_aside_comes_free_with_its_lease() -> None:
    total = limit("total", "", "1")
    lost = hold("0.9", total)
    assert isinstance(lost, Hold)
    assert hold("0.9", total) == total
    Reservation.objects.update(until=Now() - timedelta(seconds=1))
    assert isinstance(hold("0.9", total), Hold)
    assert spend(total).reserved_usd == Decimal("0.9")
    budget.settle(lost, Decimal("0.05"))
    row = spend(total)
    assert (row.spent_usd, row.reserved_usd, row.overrun_usd) == (Decimal("0.05"), Decimal("0.9"), Decimal("0.05"))


def test_a_call_that_cost_more_than_was_set_aside_is_booked_whole() -> None:
    total = limit("total", "", "1")
    held, other = hold("0.5", total), hold("0.5", total)
    assert isinstance(held, Hold)
    assert isinstance(other, Hold)
    budget.settle(held, Decimal("0.7"))
    row = spend(total)
    assert (row.spent_usd, row.reserved_usd, row.overrun_usd) == (Decimal("0.7"), Decimal("0.5"), Decimal("0.2"))
    assert hold("0.01", total) == total


def test_the_database_itself_refuses_to_pass_a_cap() -> None:
    total = limit("total", "", "1")
    hold("0.9", total)
    with pytest.raises(IntegrityError, match="spend_within_its_cap"):
        Spend.objects.update(reserved_usd=F("reserved_usd") + Decimal("0.2"))


class _Worker:
    """Reserves, then settles, dies or is overtaken, as its random numbers say."""

    def __init__(self, seed: int, limits: list[Limit]) -> None:
        self._random = random.Random(seed)
        self._limits = limits
        self.booked = Decimal(0)

    def work(self) -> None:
        for _ in range(6):
            amount = Decimal(self._random.randint(1, 40)) / 100
            lease = Lease()
            held = budget.reserve(amount, self._limits, lease)
            if isinstance(held, Limit):
                continue
            fate = self._random.random()
            if fate < 0.2:
                Reservation.objects.filter(token=lease.token).update(until=Now() - timedelta(seconds=1))
            else:
                cost = amount * Decimal(self._random.randint(0, 100)) / 100
                budget.settle(held, cost)
                self.booked += cost


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), cap=st.integers(20, 300))
def test_however_many_reserve_at_once_no_cap_is_passed(seed: int, cap: int) -> None:
    Reservation.objects.all().delete()
    Spend.objects.all().delete()
    limits = [Limit(scope, name, Decimal(cap) / 100) for scope, name in (("total", ""), ("model", "m"))]
    workers = [_Worker(seed + number, limits) for number in range(6)]
    queue = iter(workers)
    in_parallel(6, lambda: next(queue).work())
    budget.release()
    booked = sum((worker.booked for worker in workers), Decimal(0))
    for row in Spend.objects.all():
        assert (row.spent_usd, row.reserved_usd, row.overrun_usd) == (booked, NOTHING, NOTHING)
        assert row.spent_usd <= row.cap_usd


def test_an_answer_is_paid_from_every_budget_that_counts_it(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    priced(register())
    limits = [limit("total", "", "1"), limit("model", "chatgpt", "1"), limit("source", "desk_7", "1")]
    limit("source", "somebody_else", "1")
    signal = enriched("chatgpt")
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    paid = Decimal(row.model_meta["cost_usd"])
    assert paid > 0
    assert row.calls.get().cost_usd == paid
    assert {spend(one).spent_usd for one in limits} == {paid}
    assert Spend.objects.count() == 3
    assert not Reservation.objects.exists()


def test_a_repair_is_paid_for_too(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    priced(register())
    total = limit("total", "", "1")
    signal = enriched("chatgpt")
    simulator.script("answers", {"kind": "schema_error", "times": 1})
    run(str(signal.pk), "chatgpt")
    paid = [call.cost_usd for call in decision(signal).calls.all()]
    assert len(paid) == 2
    assert spend(total).spent_usd == sum(one for one in paid if one is not None) > 0


def test_an_exhausted_budget_denies_aloud_and_asks_nobody(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    priced(register())
    limit("model", "chatgpt", "0.001")
    signal = enriched("chatgpt")
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    assert (row.status, row.decision, row.fallback) == ("budget_denied", "IGNORE", True)
    assert "model chatgpt" in row.reason
    assert TimelineEntry.objects.get(event_id=signal.pk, status="decision").details["status"] == "budget_denied"
    assert simulator.totals()["received"] == 0


def test_an_unknown_price_is_not_taken_for_nothing(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register()
    limit("total", "", "100")
    signal = enriched("chatgpt")
    run(str(signal.pk), "chatgpt")
    assert decision(signal).status == "budget_denied"
    assert simulator.totals()["received"] == 0


def test_the_baseline_needs_no_budget(register: Register, enriched: Enriched) -> None:
    register("rules", vendor="baseline", model_id="baseline-v1", base_url="", key_env="")
    limit("total", "", "0")
    signal = enriched("rules")
    run(str(signal.pk), "rules")
    row = decision(signal, "rules")
    assert (row.status, row.model_meta["cost_usd"]) == ("ok", "0")


def test_a_price_holds_from_its_instant_on(register: Register, enriched: Enriched) -> None:
    model = priced(register(), valid_from=Now() - timedelta(days=1), input_usd="1", output_usd="1", cached_usd=None)
    Price.objects.create(model=model, valid_from=Now() + timedelta(days=1), input_usd="500", output_usd="500")
    signal = enriched("chatgpt")
    run(str(signal.pk), "chatgpt")
    call = ModelCall.objects.get()
    assert call.cost_usd == Decimal((call.tokens_in or 0) + (call.tokens_out or 0)) / 1_000_000


def test_a_timeout_is_booked_at_its_worst(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    priced(register(timeout_ms=300))
    total = limit("total", "", "1")
    signal = enriched("chatgpt")
    simulator.script("faults", {"kind": "hang"})
    run(str(signal.pk), "chatgpt")
    assert spend(total).spent_usd > 0
    assert (ModelCall.objects.get().cost_usd, spend(total).reserved_usd) == (None, NOTHING)


def test_a_refused_call_costs_nothing(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    priced(register())
    total = limit("total", "", "1")
    signal = enriched("chatgpt")
    simulator.script("errors", {"preset": "rate_limit", "retry_after": "1"})
    run(str(signal.pk), "chatgpt")
    assert (spend(total).spent_usd, spend(total).reserved_usd) == (NOTHING, NOTHING)
    make_claimable(signal)


def test_the_same_bill_is_booked_once(register: Register, enriched: Enriched) -> None:
    priced(register())
    total = limit("total", "", "1")
    signal = enriched("chatgpt")
    held: Any = run(str(signal.pk), "chatgpt")
    before = spend(total).spent_usd
    held.settle(held.outcome)
    assert (spend(total).spent_usd, ModelCall.objects.count()) == (before, 1)


def test_who_takes_over_from_a_dead_worker_finds_its_money_free(register: Register, enriched: Enriched) -> None:
    priced(register())
    signal = enriched("chatgpt")
    dead = claim(str(signal.pk), "chatgpt")
    assert dead is not None
    assert dead.model is not None
    rates = rates_of(dead.model)
    assert rates is not None
    worst = worst_case(rates, render(dead.payload, dead.payload_hash, signal.event_type, "core_v1"), dead.model.max_tokens)
    only = Limit("model", "chatgpt", sum(worst, NOTHING) * Decimal("1.5"))
    EvaluationModel.objects.update(daily_budget_usd=only.usd)
    forget_registry()
    assert isinstance(budget.reserve(sum(worst, NOTHING), [only], dead.lease), Hold)
    passed = now() - timedelta(seconds=1)
    Decision.objects.update(lease_until=passed)
    Reservation.objects.update(until=passed)
    run(str(signal.pk), "chatgpt")
    assert decision(signal).status == "ok"
    assert spend(only).reserved_usd == 0
