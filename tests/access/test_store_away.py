"""Without Redis every process limits alone, says so, and turns exact again when it is back."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis, RedisError

from access import throttling
from access.throttling import Limiter
from access.windows import Window
from console import readiness
from core import telemetry
from core.clock import now
from core.store import AWAY_S, STORE_TIMEOUT_S
from sandbox.binaries import redis_server
from sandbox.kept import free_port
from signals.models import Pulse

EIGHT = (Window("burst", 8, 60),)


class Server:
    """A Redis of the test's own, to be killed."""

    def __init__(self, directory: Path) -> None:
        self.port, self.directory = free_port(), directory
        self.url = f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.directory)]
        self.process = subprocess.Popen([redis_server(), *options], stdout=subprocess.DEVNULL)
        ends = time.monotonic() + 10
        with Redis.from_url(self.url) as client:
            while not _answers(client):
                assert time.monotonic() < ends
                time.sleep(0.02)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    server.start()
    yield server
    server.kill()


def accepted(limiter: Limiter, count: int, name: str) -> int:
    return sum(limiter.charge("a", f"{name}{number}", EIGHT).accepted for number in range(count))


def test_each_process_has_its_share_while_the_store_is_killed_and_the_whole_when_it_is_back(server: Server) -> None:
    limiter = Limiter(server.url, processes=4)
    assert (accepted(limiter, 20, "exact"), limiter.state()) == (8, "exact")
    server.kill()
    assert (accepted(limiter, 20, "local"), limiter.state()) == (2, "local")
    assert telemetry.limiter_local._value.get() == 1
    server.start()
    ends = time.monotonic() + AWAY_S + 2
    while limiter.state() != "exact":
        assert time.monotonic() < ends
        time.sleep(0.05)
    assert telemetry.limiter_local._value.get() == 0
    assert accepted(limiter, 20, "again") == 8


def test_a_restart_between_two_requests_is_not_noticed(server: Server) -> None:
    limiter = Limiter(server.url, processes=4)
    accepted(limiter, 1, "before")
    server.kill()
    server.start()
    limiter.charge("a", "after", EIGHT)
    assert limiter.state() == "exact"


def test_what_a_refusal_says_is_true_of_this_processs_share() -> None:
    limiter = Limiter(f"redis://127.0.0.1:{free_port()}", processes=4)
    accepted(limiter, 2, "taken")
    refused = limiter.charge("a", "more", EIGHT)
    assert refused.headers["RateLimit-Policy"] == '"burst";q=2;w=60'
    assert 59 <= refused.retry_after <= 60


def test_a_refund_is_good_without_the_store() -> None:
    limiter = Limiter(f"redis://127.0.0.1:{free_port()}", processes=8)
    assert accepted(limiter, 2, "x") == 1
    limiter.refund("a", "x0")
    assert accepted(limiter, 2, "y") == 1


def test_a_store_that_hangs_costs_one_request_a_moment_and_the_others_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        limiter = Limiter(f"redis://127.0.0.1:{mute.getsockname()[1]}", processes=1)
        began = time.monotonic()
        assert accepted(limiter, 20, "x") == 8
        assert time.monotonic() - began < AWAY_S
        assert 2 * STORE_TIMEOUT_S < AWAY_S


def test_memory_is_bounded_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("access.windows.MOST_IDENTITIES", 10)
    limiter = Limiter(f"redis://127.0.0.1:{free_port()}", processes=1)
    for number in range(100):
        limiter.charge(str(number), "x", EIGHT)
    assert len(limiter._local._taken) == 10


@pytest.mark.django_db
def test_readiness_shows_it_and_asks_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("worker-core", "worker-evaluate", "sweep"):
        Pulse.objects.create(name=name, at=now())
    fit, report = readiness.ready()
    assert (fit, report["dependencies"]["limiter"]) == (True, "exact")
    lonely = Limiter(f"redis://127.0.0.1:{free_port()}", processes=1)
    monkeypatch.setattr(throttling, "limiter", lambda: lonely)
    fit, report = readiness.ready()
    assert (fit, report["status"], report["dependencies"]["limiter"]) == (True, "ready", "local")
