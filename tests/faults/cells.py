"""The fault matrix: what is done to the stack, for how long, and what that may cost. Each cell leaves the stack whole."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

import psycopg
import redis

from tests.stack import Lens

STOPPED_S = 20.0
QUEUES = ("enrich", "evaluate", "publish", "control")
Strike = Callable[[Lens], AbstractContextManager[None]]


@dataclass(frozen=True)
class Cell:
    """One fault. `calls`: paid answers a model may give for one signal while this goes on; `to_dlq`: whether giving up is right."""

    name: str
    strike: Strike
    calls: int = 1
    to_dlq: bool = False


def killed(name: str, number: signal.Signals = signal.SIGKILL) -> Strike:
    """One process ended; the supervisor brings it back."""

    @contextmanager
    def strike(lens: Lens) -> Iterator[None]:
        lens.stack.kill(name, number)
        yield

    return strike


def frozen(name: str, seconds: float = STOPPED_S) -> Strike:
    """One process stopped with all its children, and continued: it holds its connections and its leases all the while."""

    @contextmanager
    def strike(lens: Lens) -> Iterator[None]:
        group = lens.stack.process(name).pid
        assert group is not None
        os.killpg(group, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.killpg(group, signal.SIGCONT)
        yield

    return strike


@contextmanager
def _flushed(lens: Lens) -> Iterator[None]:
    with redis.Redis.from_url(lens.facts["redis"]) as broker:
        broker.flushall()
    yield


@contextmanager
def _broker_full(lens: Lens) -> Iterator[None]:
    """Every write is refused, as `noeviction` does at the limit."""
    with redis.Redis.from_url(lens.facts["redis"]) as broker:
        broker.config_set("maxmemory", "1")
        try:
            time.sleep(8)
        finally:
            broker.config_set("maxmemory", "0")
    yield


@contextmanager
def _connections_exhausted(lens: Lens) -> Iterator[None]:
    with ExitStack() as held, psycopg.connect(lens.facts["database"], autocommit=True) as first:
        (most,) = first.execute("SELECT current_setting('max_connections')::int").fetchone() or (100,)
        try:
            for _ in range(most):
                held.enter_context(psycopg.connect(lens.facts["database"], autocommit=True))
        except psycopg.OperationalError:
            time.sleep(8)
    yield


@contextmanager
def _tables_locked(lens: Lens) -> Iterator[None]:
    """Longer than `lock_timeout`: every statement on a signal fails meanwhile."""
    with psycopg.connect(lens.facts["database"]) as locker:
        locker.execute("LOCK TABLE signals_signal IN ACCESS EXCLUSIVE MODE")
        time.sleep(5)
    yield


@contextmanager
def _tripled(lens: Lens) -> Iterator[None]:
    """Every message that waits is there three times."""
    workers = ("worker-core", "worker-evaluate")
    with redis.Redis.from_url(lens.facts["redis"]) as broker:
        for name in workers:
            lens.stack.kill(name, signal.SIGSTOP)
        time.sleep(3)
        for queue in QUEUES:
            for message in broker.lrange(queue, 0, -1):
                broker.rpush(queue, message, message)
        for name in workers:
            lens.stack.kill(name, signal.SIGCONT)
    yield


def scripted(simulator: str, path: str, rules: object, seconds: float = 6.0) -> Strike:
    """The world outside misbehaves for a while."""

    @contextmanager
    def strike(lens: Lens) -> Iterator[None]:
        lens.script(simulator, path, rules)
        try:
            time.sleep(seconds)
        finally:
            lens.unscript(simulator, path)
        yield

    return strike


def venue(**fault: object) -> Strike:
    """Every request to the exchange."""
    return scripted("exchange", "faults", [fault])


def model(path: str, **rule: object) -> Strike:
    """Requests to the vendors of models."""
    return scripted("llm", path, [rule])


PROCESSES = ("worker-evaluate", "worker-core", "web-0", "ws-0", "beat", "redis", "postgres")
# An answer that was paid for and could not be written down is asked for again, once per life that was lost.
_CALLS = {"worker-evaluate": 2, "postgres": 2}
_TWO = {"match": {"model": "gpt-sandbox"}}

CELLS = [
    *(Cell(f"kill -9 {name}", killed(name), _CALLS.get(name, 1)) for name in PROCESSES),
    *(Cell(f"SIGTERM {name}", killed(name, signal.SIGTERM), _CALLS.get(name, 1)) for name in PROCESSES if name != "postgres"),
    # What service managers send it; SIGTERM would wait until its last client is gone.
    Cell("SIGINT postgres", killed("postgres", signal.SIGINT), _CALLS["postgres"]),
    *(Cell(f"SIGSTOP {STOPPED_S:.0f} s {name}", frozen(name), 2) for name in PROCESSES),
    Cell("broker flushed", _flushed),
    Cell("broker memory full", _broker_full),
    Cell("PostgreSQL paused 5 s", frozen("postgres", 5), 2),
    Cell("PostgreSQL connections exhausted", _connections_exhausted, 2),
    Cell("signals locked for 5 s", _tables_locked, 2),
    Cell("every waiting message tripled", _tripled),
    Cell("venue 429 with Retry-After", venue(kind="status", status=429, headers={"Retry-After": "2"})),
    Cell("venue 500", venue(kind="status", status=500)),
    Cell("venue hangs", venue(kind="hang")),
    Cell("venue malformed", venue(kind="body", body="{not json"), to_dlq=True),
    Cell("venue wrong coin", scripted("exchange", "data", {"coin": "BTC", "fault": "wrong_coin"}), to_dlq=True),
    Cell("one model 429", model("errors", preset="rate_limit", retry_after="1", **_TWO)),
    Cell("one model hangs", scripted("llm", "faults", [{"kind": "hang", **_TWO}]), 2),
    Cell("all models 500", model("errors", preset="server_error")),
    Cell("all models talk nonsense", model("answers", kind="text", text="I would rather not say."), 2),
]
NAMED = {cell.name: cell for cell in CELLS}
