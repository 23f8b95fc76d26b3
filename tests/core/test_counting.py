"""Counting across processes: no two share a file, and what a dead one held is let go."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.counting import HOST, forget_the_dead

HOLDER = """
import sys
from core import telemetry
telemetry.ws_clients.set(3)
telemetry.ws_slow_closed.inc()
print("held", flush=True)
sys.stdin.read()
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


def held(shared: Path) -> str:
    return python(TOTAL, shared).communicate()[0]


def test_a_killed_process_keeps_its_counts_and_loses_what_it_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    holders = [python(HOLDER, tmp_path) for _ in range(2)]
    for holder in holders:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
    forget_the_dead()
    assert "lens_ws_clients 6.0" in held(tmp_path)
    holders[0].send_signal(signal.SIGKILL)
    holders[0].communicate()
    forget_the_dead()
    after = held(tmp_path)
    assert "lens_ws_clients 3.0" in after
    assert "lens_ws_slow_closed_total 2.0" in after
    holders[1].communicate()


def test_files_carry_the_host_because_every_container_has_a_process_number_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    holder = python(HOLDER, tmp_path)
    assert holder.stdout is not None
    holder.stdout.readline()
    assert (tmp_path / f"gauge_livesum_{HOST}-{holder.pid}.db").exists()
    (tmp_path / "gauge_livesum_another-host-1.db").touch()
    holder.communicate()
    forget_the_dead()
    assert [path.name for path in tmp_path.glob("gauge_live*")] == ["gauge_livesum_another-host-1.db"]
