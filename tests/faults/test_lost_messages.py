"""Messages are hints: lost, flushed or late, every accepted signal still arrives, once."""

import signal
import time

import pytest
import redis

from tests.faults.books import balance
from tests.stack import Lens

pytestmark = pytest.mark.stack

WORKERS = ("worker-evaluate", "worker-core", "beat")


def test_signals_sent_while_every_worker_is_away_are_published_later(lens: Lens) -> None:
    for name in WORKERS:
        lens.stack.supervisor.hold(name)
    sent = [lens.submit() for _ in range(5)]
    time.sleep(3)
    assert {lens.event(event_id)["status"] for event_id in sent} == {"queued"}
    for name in WORKERS:
        lens.stack.supervisor.release(name)
    balance(lens, sent)


def test_a_broker_that_forgets_everything_costs_seconds_and_nothing_else(lens: Lens) -> None:
    with redis.Redis.from_url(lens.facts["redis"]) as broker:
        lens.script("llm", "latency", {"seconds": 0.5})
        sent: list[str] = []
        for number in range(30):
            sent.append(lens.submit())
            if number in {10, 20, 29}:
                broker.flushall()
        balance(lens, sent, within=60)
        lens.script("llm", "latency", {"seconds": 0})


def test_a_broker_that_is_away_does_not_stop_the_gateway(lens: Lens) -> None:
    lens.stack.supervisor.hold("redis")
    sent = [lens.submit() for _ in range(5)]
    lens.stack.supervisor.release("redis")
    balance(lens, sent)


def test_a_stopped_database_is_a_503_and_nothing_half_done(lens: Lens) -> None:
    body = lens.body()
    lens.stack.supervisor.hold("postgres")
    answer = lens.post(body)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    lens.stack.supervisor.release("postgres")
    lens.stack.supervisor.await_ready(lens.stack.process("postgres").process)
    balance(lens, [lens.submit()])


def test_a_lost_message_is_sent_again_within_ten_seconds(lens: Lens) -> None:
    with redis.Redis.from_url(lens.facts["redis"]) as broker:
        lens.stack.kill("worker-core", signal.SIGSTOP)
        time.sleep(0.2)
        event_id = lens.submit()
        broker.flushall()
        lens.stack.kill("worker-core", signal.SIGCONT)
        began = time.monotonic()
        balance(lens, [event_id])
        assert time.monotonic() - began < 10 + 15
