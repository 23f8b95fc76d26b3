"""A model's own limits: so many calls at once, so many per minute; who finds no room waits as a row."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings

from core.ids import uuid7
from evaluation import admission
from evaluation.admission import BusyError, admitted
from evaluation.models import EvaluationModel
from signals.models import Signal
from tests.evaluation.conftest import Simulator
from tests.evaluation.test_judging import decision, in_parallel, make_claimable, run

pytestmark = pytest.mark.django_db(transaction=True)

Register = Callable[..., EvaluationModel]
Enriched = Callable[..., Signal]
LEASE = timedelta(seconds=20)


@pytest.fixture(autouse=True)
def _empty_store() -> Iterator[None]:
    admission._slots.cache_clear()
    with redis.Redis.from_url(f"{django_settings.REDIS_URL}/0") as store:
        for key in store.keys("lens:*"):
            store.delete(key)
    made = admission._slots
    yield
    made()._redis.close()
    made.cache_clear()


def test_no_more_than_so_many_are_let_in_at_once(register: Register) -> None:
    model = register(max_in_flight=2)
    first, second, third = (admitted(model, uuid7(), LEASE) for _ in range(3))
    with first, second, pytest.raises(BusyError), third:
        pass
    with admitted(model, uuid7(), LEASE):
        pass


def test_the_limit_holds_across_processes_and_a_dead_ones_place_comes_free(register: Register) -> None:
    model = register(max_in_flight=1)
    others = admission._Slots()
    assert others.take(model.name, "elsewhere", 1, timedelta(milliseconds=300))
    with pytest.raises(BusyError), admitted(model, uuid7(), LEASE):
        pass
    with redis.Redis.from_url(f"{django_settings.REDIS_URL}/0") as store:
        store.zadd(admission.PREFIX + model.name, {"elsewhere": 1})
    with admitted(model, uuid7(), LEASE):
        pass
    others._redis.close()


def test_a_model_without_limits_asks_nobody(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_slots", None)
    monkeypatch.setattr(admission, "limiter", None)
    with admitted(register(), uuid7(), LEASE):
        pass


def test_calls_per_minute_are_counted(register: Register) -> None:
    model = register(calls_per_minute=2)
    for _ in range(2):
        with admitted(model, uuid7(), LEASE):
            pass
    with pytest.raises(BusyError) as caught, admitted(model, uuid7(), LEASE):
        pass
    assert 50 < caught.value.after <= 60


def test_who_finds_no_room_waits_without_using_up_a_try(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register(max_in_flight=1)
    simulator.latency(3)
    signals = [enriched("chatgpt") for _ in range(3)]
    queue = iter(signals)
    in_parallel(3, lambda: run(str(next(queue).pk), "chatgpt"))
    assert simulator.totals()["received"] == 1
    assert sorted(decision(signal).status for signal in signals) == ["", "", "ok"]
    waiting = next(signal for signal in signals if not decision(signal).status)
    row = decision(waiting)
    assert (row.attempts, row.claims, row.lease_until) == (0, 0, None)
    assert row.not_before is not None
    make_claimable(waiting)
    run(str(waiting.pk), "chatgpt")
    assert decision(waiting).status == "ok"


def test_no_room_until_the_end_is_rate_limited(register: Register, enriched: Enriched, simulator: Simulator, settings: Any) -> None:
    register(calls_per_minute=1)
    run(str(enriched("chatgpt").pk), "chatgpt")
    signal = enriched("chatgpt")
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    assert (row.status, row.fallback) == ("rate_limited", True)
    assert simulator.totals()["received"] == 1


def test_while_redis_is_away_each_process_keeps_to_the_limit_alone(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    model = register(max_in_flight=1)
    monkeypatch.setattr(admission._slots(), "_script", _away)
    with admitted(model, uuid7(), LEASE), pytest.raises(BusyError), admitted(model, uuid7(), LEASE):
        pass


def _away(**_: Any) -> None:
    raise redis.ConnectionError("away")
