"""How much waits, asked of brokers that are no Redis: kombu's own in memory stands for them, since it answers as they do."""

import pytest
from kombu import Connection

from core.broker import DeclaredQueues, queue_depths

EMPTY = {"enrich": 0, "evaluate": 0, "publish": 0, "control": 0}


def test_a_queue_nobody_has_made_is_empty_and_one_with_messages_tells_how_many() -> None:
    queues = DeclaredQueues("memory://")
    assert queues.ask() == EMPTY
    with Connection("memory://") as sender:
        for _ in range(3):
            with sender.SimpleQueue("evaluate") as queue:
                queue.put({})
    assert queues.ask() == {**EMPTY, "evaluate": 3}
    assert queues.ask() == {**EMPTY, "evaluate": 3}
    with Connection("memory://") as sender:
        sender.channel().queue_delete("evaluate")  # type: ignore[attr-defined]  # the stubs leave it out


def test_a_broker_that_is_away_has_no_depths(unused_tcp_port: int) -> None:
    queues = DeclaredQueues(f"amqp://127.0.0.1:{unused_tcp_port}//")
    assert queues.ask() is None
    assert queues.ask() is None


@pytest.mark.django_db
def test_redis_is_asked_in_one_step() -> None:
    assert set(queue_depths() or {}) == set(EMPTY)
