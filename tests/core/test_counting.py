"""Counting across processes: no two share a file, and what a dead one held is let go."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.counting import forget_the_dead

HOLDER = """
import sys
from core import telemetry
telemetry.ws_clients.set(3)
telemetry.ws_slow_closed.inc()
print("held", flush=True)
sys.stdin.read()
"""
FORK = """
import os
from core.counting import Place, directory
place = Place(directory())
print(place(), flush=True)
child = os.fork()
if child:
    os.waitpid(child, 0)
print(place(), flush=True)
"""
TOTAL = """
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
registry = CollectorRegistry()
MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""


def python(code: str, shared: Path) -> subprocess.Popen[str]:
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(shared)}
    return subprocess.Popen([sys.executable, "-c", code], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def holding(shared: Path) -> subprocess.Popen[str]:
    """A process that holds three sockets and has counted one event."""
    process = python(HOLDER, shared)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def held(shared: Path) -> str:
    return python(TOTAL, shared).communicate()[0]


def test_a_killed_process_keeps_its_counts_and_loses_what_it_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    holders = [holding(tmp_path) for _ in range(2)]
    forget_the_dead()
    assert "lens_ws_clients 6.0" in held(tmp_path)
    holders[0].send_signal(signal.SIGKILL)
    holders[0].communicate()
    forget_the_dead()
    after = held(tmp_path)
    assert "lens_ws_clients 3.0" in after
    assert "lens_ws_slow_closed_total 2.0" in after
    holders[1].communicate()


def test_whoever_comes_later_counts_on_in_the_place_that_was_left(tmp_path: Path) -> None:
    first = holding(tmp_path)
    second = holding(tmp_path)
    first.communicate()
    files = {path.name for path in tmp_path.iterdir()}
    assert {"gauge_livesum_0.db", "gauge_livesum_1.db", "counter_0.db", "counter_1.db"} <= files
    third = holding(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == files
    told = held(tmp_path)
    assert "lens_ws_slow_closed_total 3.0" in told
    assert "lens_ws_clients 6.0" in told
    for process in (second, third):
        process.communicate()


def test_another_container_sees_who_lives_though_it_does_not_see_the_process(tmp_path: Path) -> None:
    """A process number says nothing there; here the one who asks is a process that knows only the directory."""
    holder = holding(tmp_path)
    ask = "from core.counting import forget_the_dead; forget_the_dead()"
    python(ask, tmp_path).communicate()
    assert "lens_ws_clients 3.0" in held(tmp_path)
    holder.kill()
    holder.communicate()
    python(ask, tmp_path).communicate()
    assert "lens_ws_clients 3.0" not in held(tmp_path)


def test_a_fork_counts_at_a_place_of_its_own(tmp_path: Path) -> None:
    assert python(FORK, tmp_path).communicate()[0].split() == ["0", "1", "0"]
