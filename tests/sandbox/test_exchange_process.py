"""The simulator as a process: it says where it listens, and SIGTERM ends it at once, whatever hangs."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@contextmanager
def simulator(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running simulator and its address."""
    command = [sys.executable, "-m", "sandbox.exchange", "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            assert line.startswith("listening on http://127.0.0.1:")
            yield process, line.removeprefix("listening on http://")
        finally:
            process.kill()


def send(address: str, path: str, payload: Any, method: str = "POST", timeout: float = 10) -> Any:
    with closing(HTTPConnection(address, timeout=timeout)) as connection:
        connection.request(method, path, json.dumps(payload), {"Content-Type": "application/json"})
        return json.load(connection.getresponse())


def test_it_listens_on_a_free_port_and_ends_at_once_on_sigterm() -> None:
    with simulator() as (process, address):
        assert "BTC" in send(address, "/info", {"type": "allMids"})
        send(address, "/_control/faults", [{"kind": "hang"}], method="PUT")
        with suppress(TimeoutError):
            send(address, "/info", {"type": "allMids"}, timeout=0.3)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert time.monotonic() - started < 2


def test_a_replay_says_where_its_answers_come_from(tmp_path: Path) -> None:
    (tmp_path / "allMids.json").write_text(json.dumps({"BTC": "9.0"}))
    with simulator("--replay", str(tmp_path)) as (process, address):
        assert process.stdout is not None
        fact = process.stdout.readline()
        assert "how=recorded" in fact
        assert "source=allMids.json" in fact
        assert send(address, "/info", {"type": "allMids"}) == {"BTC": "9.0"}


def test_a_folder_without_recordings_stops_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sandbox.exchange", "--replay", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 2
    assert "no recordings in" in ended.stderr


@pytest.mark.parametrize("seeds", [("1", "1"), ("1", "2")], ids=["one seed", "two seeds"])
def test_the_seed_decides_the_market(seeds: tuple[str, str]) -> None:
    answers = []
    for seed in seeds:
        with simulator("--seed", seed) as (_, address):
            send(address, "/_control/clock", {"frozen_at": "2026-01-01T00:00:00Z"}, method="PUT")
            answers.append(send(address, "/info", {"type": "allMids"}))
    assert (answers[0] == answers[1]) == (seeds[0] == seeds[1])
