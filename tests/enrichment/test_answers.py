"""One question for all processes: providers that share nothing but Redis, and processes of their own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest
from pytest_django.fixtures import Settings

from core.canonical import canonical, digest
from core.clock import now
from core.errors import LensError, Permanent, Transient
from core.store import Store
from enrichment.desk import Desk, Question
from enrichment.ports import PerpContext
from enrichment.profiles import profile_named
from enrichment.providers import answers, hyperliquid, line
from enrichment.providers.hyperliquid import Hyperliquid
from tests.enrichment.conftest import Exchange
from tests.enrichment.markets import ROOT

Several = Callable[..., list[Hyperliquid]]


@pytest.fixture
def several(exchange: Exchange) -> Iterator[Several]:
    """Providers as different processes have them."""
    with ExitStack() as stack:
        yield lambda count=3: [stack.enter_context(closing(Hyperliquid("hyperliquid", exchange.url))) for _ in range(count)]


def test_many_at_once_in_several_processes_cost_one_question(several: Several, exchange: Exchange) -> None:
    exchange.put("latency", {"seconds": 0.2})
    venues = several(4)
    with ThreadPoolExecutor(64) as crowd:
        found = list(crowd.map(lambda number: venues[number % 4].context("BTC"), range(100)))
    assert exchange.requests() == {"metaAndAssetCtxs": {"": 1}}
    assert len({context.seen.digest for context in found}) == 1
    assert {context.mark for context in found} == {found[0].mark}


def test_an_answer_of_another_process_keeps_its_times(several: Several) -> None:
    one, other = several(2)
    first = one.context("BTC")
    time.sleep(0.3)
    second = other.context("BTC")
    assert abs(first.seen.as_of - second.seen.as_of).total_seconds() < 0.05
    assert abs(first.seen.available_at - second.seen.available_at).total_seconds() < 0.05
    assert second.seen.available_at < now()


def test_an_answer_serves_others_no_longer_than_it_may(
    several: Several, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hyperliquid, "CONTEXTS_SERVE_S", 0.3)
    one, other = several(2)
    one.context("BTC")
    other.context("ETH")
    assert exchange.requests()["metaAndAssetCtxs"] == {"": 1}
    time.sleep(0.35)
    other.context("BTC")
    assert exchange.requests()["metaAndAssetCtxs"] == {"": 2}


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ({"kind": "status", "status": 503, "delay_s": 0.3}, Transient, "provider_down"),
        ({"kind": "status", "status": 429, "headers": {"Retry-After": "9"}, "delay_s": 0.3}, Transient, "rate_limited"),
        ({"kind": "status", "status": 403, "delay_s": 0.3}, Permanent, "provider_refused"),
        ({"kind": "body", "body": "[1]", "delay_s": 0.3}, Transient, "bad_reply"),
    ],
)
def test_a_failure_reaches_those_who_wait_for_it_and_nobody_after_them(
    several: Several, exchange: Exchange, fault: dict[str, object], kind: type[LensError], code: str
) -> None:
    exchange.faults({**fault, "times": 1})
    venues = several(3)
    with ThreadPoolExecutor(3) as crowd:
        flights = [crowd.submit(venue.context, "BTC") for venue in venues]
    errors = [flight.exception() for flight in flights]
    assert [type(error) for error in errors] == [kind] * 3
    assert {error.code for error in errors if isinstance(error, LensError)} == {code}
    assert exchange.requests() == {"metaAndAssetCtxs": {"": 1}}
    if code == "rate_limited":
        waits = [error.retry_after for error in errors if isinstance(error, Transient)]
        assert waits == [9.0] * 3
        with pytest.raises(Transient, match="patience"):
            venues[0].coin("BTC")
    else:
        assert venues[0].context("BTC").mark


def test_whoever_dies_while_asking_holds_the_others_up_for_one_call(
    several: Several, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "CALL_S", 0.5)
    (venue,) = several(1)
    asked = {"type": "metaAndAssetCtxs"}
    gone = venue._line._answers._look
    name = f"{answers.PREFIX}{exchange.url.removeprefix('http://')}:{digest(canonical(asked))[:32]}"
    assert gone(keys=[name, f"{name}:asking"], args=[0, "someone", 500])[0] == b"ask"
    with pytest.raises(Transient, match="timeout"):
        venue.context("BTC")
    assert venue.context("BTC").mark


def test_without_redis_everyone_asks_for_himself(several: Several, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Store("redis://127.0.0.1:9")
    monkeypatch.setattr(line, "store", lambda: nowhere)
    monkeypatch.setattr(line, "patient_store", lambda _: nowhere)
    for venue in several(2):
        assert venue.ticker(venue.coin("btc")).fault is None
        assert venue.context("BTC").mark
    assert exchange.requests()["metaAndAssetCtxs"] == {"": 2}


def test_redis_going_away_while_another_process_asks_is_not_an_error(
    several: Several, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.put("latency", {"seconds": 0.3})
    one, other = several(2)
    monkeypatch.setattr(other._line._answers, "_patient", Store("redis://127.0.0.1:9"))
    with ThreadPoolExecutor(2) as crowd:
        flights = [crowd.submit(one.context, "BTC"), crowd.submit(other.context, "BTC")]
    assert all(isinstance(flight.result(), PerpContext) for flight in flights)


CHILD = """
import django, json, sys
django.setup()
from concurrent.futures import ThreadPoolExecutor
from enrichment.providers.hyperliquid import Hyperliquid
venue = Hyperliquid("hyperliquid", sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(25) as crowd:
    marks = set(crowd.map(lambda _: str(venue.context(venue.coin("btc")).mark), range(25)))
venue.close()
print(json.dumps(sorted(marks)))
"""


def test_real_processes_share_as_well(exchange: Exchange) -> None:
    exchange.put("latency", {"seconds": 0.3})
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "lens_project.settings.test"}
    command, pipe = [sys.executable, "-c", CHILD, exchange.url], subprocess.PIPE
    with ExitStack() as stack:
        children = [
            stack.enter_context(subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdin=pipe, stdout=pipe)) for _ in range(3)
        ]
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        said = [json.loads(child.communicate(timeout=30)[0]) for child in children]
    assert len(said[0]) == 1
    assert said == [said[0]] * 3
    assert exchange.requests() == {"meta": {"": 1}, "metaAndAssetCtxs": {"": 1}}


@pytest.mark.django_db(transaction=True)
def test_a_hundred_signals_of_one_coin_in_two_processes_cost_no_more_than_twelve_requests(
    exchange: Exchange, settings: Settings
) -> None:
    settings.LENS = settings.LENS.model_copy(update={"market": "sandbox", "hyperliquid_url": exchange.url})
    at, profile = now(), profile_named("full_v1")

    def signal(desk: Desk) -> bool:
        coin = desk.provider.coin("btc")
        ticker = desk.provider.ticker(coin)
        found = desk.look(Question(coin, at, profile), 10)
        values = [ticker.spread_bps, found.context, found.predicted, *found.books.values(), *found.readings.values()]
        return not any(value is None or isinstance(value, LensError) for value in values)

    with ExitStack() as stack:
        both = [stack.enter_context(closing(Desk(Hyperliquid("sandbox", exchange.url)))) for _ in range(2)]
        with ThreadPoolExecutor(16) as workers:
            assert all(workers.map(lambda number: signal(both[number % 2]), range(100)))
    asked = exchange.requests()
    assert asked["metaAndAssetCtxs"] == asked["meta"] == asked["predictedFundings"] == {"": 1}
    assert asked["candleSnapshot"] == {"BTC": 3}
    assert sum(sum(coins.values()) for coins in asked.values()) <= 12


@pytest.mark.django_db(transaction=True)
def test_one_cold_signal_costs_each_request_once(exchange: Exchange) -> None:
    with closing(Desk(Hyperliquid("sandbox", exchange.url))) as desk:
        desk.provider.ticker(desk.provider.coin("BTC"))
        desk.look(Question("BTC", now(), profile_named("trend_follow_v1")), 10)
    assert exchange.requests() == {"meta": {"": 1}, "l2Book": {"BTC": 1}, "candleSnapshot": {"BTC": 3}}
