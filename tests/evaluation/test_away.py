"""A database that is slow or away: threads wait their turn for the pool; what cannot be written is told in a line and not lost."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.db import connection, connections

from evaluation import clients, talk
from evaluation import remembered as remembering
from evaluation.claims import claim
from evaluation.models import Decision, EvaluationModel, ModelCall
from evaluation.ports import Endpoint, ModelClient
from evaluation.remembered import Remembered
from evaluation.services import judge
from signals.models import Signal
from signals.stage import stage
from tests.evaluation.conftest import Simulator
from tests.evaluation.test_judging import make_claimable

pytestmark = pytest.mark.django_db(transaction=True)

Register = Callable[..., EvaluationModel]
Enriched = Callable[..., Signal]

run = stage(claim)(judge)


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Gives every thread that connects from now on its connections from a pool of one."""
    settings = connections.settings["default"]

    def of_one(wait_s: float) -> None:
        monkeypatch.setitem(settings, "OPTIONS", {**settings["OPTIONS"], "pool": {"min_size": 1, "max_size": 1, "timeout": 30}})
        in_thread(lambda: _connected(wait_s))

    yield of_one
    if settings["OPTIONS"].get("pool"):
        in_thread(connection.close_pool)  # type: ignore[attr-defined]  # PostgreSQL's alone


def _connected(wait_s: float) -> None:
    """The pool's one connection is there before anybody is in a hurry for it."""
    connection.ensure_connection()
    connection.pool.timeout = wait_s  # type: ignore[attr-defined]  # PostgreSQL's alone


def in_thread(work: Callable[[], Any]) -> None:
    """To its end, in a thread with a connection of its own."""

    def whole() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=whole)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()


@contextmanager
def pool_taken() -> Iterator[None]:
    """Somebody else holds the pool's one connection for as long as this lasts."""
    taken, enough = threading.Event(), threading.Event()

    def hold() -> None:
        connection.ensure_connection()
        taken.set()
        enough.wait(60)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(30)
    try:
        yield
    finally:
        enough.set()
        thread.join(30)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says from warnings on; none of it with a traceback."""
    lines = [line for line in caplog.records if line.levelno >= logging.WARNING and line.name == "signals.stage"]
    assert not any(line.exc_info for line in lines)
    return [line.getMessage() for line in lines]


def test_a_claim_that_finds_no_connection_is_a_line_in_the_log_and_stays_owed(
    register: Register, enriched: Enriched, simulator: Simulator, pool: Any, caplog: pytest.LogCaptureFixture
) -> None:
    register()
    signal = enriched("chatgpt")
    pool(0.1)
    with pool_taken():
        in_thread(lambda: run(str(signal.pk), "chatgpt"))
    assert told(caplog) == ["nothing could be claimed, the sweep sends it again"]
    assert (Decision.objects.count(), simulator.totals()["received"]) == (0, 0)
    in_thread(lambda: run(str(signal.pk), "chatgpt"))
    assert (Decision.objects.get().status, simulator.totals()["received"]) == ("ok", 1)


def test_an_answer_waits_its_turn_and_is_written(
    register: Register, enriched: Enriched, simulator: Simulator, pool: Any, caplog: pytest.LogCaptureFixture
) -> None:
    register("slow")
    register("quick")
    simulator.latency(0.3)
    signals = [enriched("slow", "quick") for _ in range(6)]
    pool(30)
    threads = [
        threading.Thread(target=in_thread, args=[partial(run, str(signal.pk), name)])
        for signal in signals
        for name in ("slow", "quick")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert told(caplog) == []
    assert list(Decision.objects.values_list("status", flat=True)) == ["ok"] * 12
    assert simulator.totals()["received"] == 12


def test_an_answer_that_cannot_be_written_is_told_in_one_line_and_the_work_is_done_again(
    register: Register, enriched: Enriched, simulator: Simulator, pool: Any, caplog: pytest.LogCaptureFixture
) -> None:
    register()
    simulator.latency(1.0)
    signal = enriched("chatgpt")
    pool(0.1)
    asking = threading.Thread(target=in_thread, args=[lambda: run(str(signal.pk), "chatgpt")])
    asking.start()
    while not simulator.totals()["received"]:
        assert asking.is_alive()
    with pool_taken():
        asking.join(30)
    assert told(caplog) == ["stage failed, retrying", "no outcome could be stored, the lease runs out"]
    row = Decision.objects.get()
    assert (row.status, row.claims, ModelCall.objects.count()) == ("", 1, 0)
    simulator.latency(0)
    make_claimable(signal)
    in_thread(lambda: run(str(signal.pk), "chatgpt"))
    row.refresh_from_db()
    assert (row.status, row.claims) == ("ok", 2)


def test_an_answer_whose_connection_broke_is_written_over_another(
    register: Register, enriched: Enriched, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """The server ends it between the answer and its transaction: the one retry layer writes, and nobody is asked again."""
    register()
    signal = enriched("chatgpt")

    def judge_over_a_broken_line(held: Any) -> None:
        judge_as_ever = held.settle

        def settle(outcome: Any) -> None:
            held.settle = judge_as_ever
            held.outcome = outcome
            connection.ensure_connection()
            pid = connection.connection.info.backend_pid
            in_thread(lambda: connection.cursor().execute("SELECT pg_terminate_backend(%s, 5000)", [pid]))
            judge_as_ever(outcome)

        held.settle = settle
        judge(held)

    in_thread(lambda: stage(claim)(judge_over_a_broken_line)(str(signal.pk), "chatgpt"))
    assert told(caplog) == ["stage failed, retrying"]
    assert (Decision.objects.get().status, ModelCall.objects.count(), simulator.totals()["received"]) == ("ok", 1, 1)


def test_no_connection_is_held_while_a_client_is_made_and_asked(
    register: Register, enriched: Enriched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vendor's SDK takes seconds to load: a worker's first calls would hold the whole pool for as long."""
    register()
    signal = enriched("chatgpt")
    held: list[bool] = []

    def client_for(vendor: str, endpoint: Endpoint) -> ModelClient:
        held.append(connection.connection is not None)
        return clients.client_for(vendor, endpoint)

    monkeypatch.setattr(talk, "client_for", client_for)
    in_thread(lambda: run(str(signal.pk), "chatgpt"))
    assert (held, Decision.objects.get().status) == ([False], "ok")


def test_of_many_threads_that_find_it_stale_one_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, enough = threading.Event(), threading.Event()
    read: list[int] = []

    def load() -> int:
        read.append(1)
        if len(read) > 1:
            reading.set()
            assert enough.wait(30)
        return len(read)

    remembered = Remembered(load)
    assert remembered() == 1
    monkeypatch.setattr(remembering, "TTL_S", 0)
    slow = threading.Thread(target=remembered)
    slow.start()
    assert reading.wait(30)
    assert [remembered() for _ in range(50)] == [1] * 50
    enough.set()
    slow.join(30)
    monkeypatch.undo()
    assert (remembered(), len(read)) == (2, 2)
