"""`LENS_METRICS_PORT`: metrics on a port of their own, and only there."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.conf import settings
from rest_framework.test import APIClient

from sandbox.kept import free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.django_db
def test_metrics_leave_the_public_port(monkeypatch: pytest.MonkeyPatch) -> None:
    assert APIClient().get("/metrics").status_code == 200
    monkeypatch.setattr(settings, "LENS", settings.LENS.model_copy(update={"metrics_port": 9464}))
    assert APIClient().get("/metrics").status_code == 404


def test_metrics_are_served_on_their_own(tmp_path: Path) -> None:
    port = free_port()
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "LENS_METRICS_PORT": str(port)}
    with subprocess.Popen([sys.executable, "manage.py", "serve_metrics"], cwd=ROOT, env=environ) as server:
        try:
            assert "lens_sweep_age_seconds" in _first_answer(f"http://127.0.0.1:{port}/metrics")
        finally:
            server.terminate()


def test_without_a_directory_there_is_nothing_to_serve() -> None:
    environ: dict[str, Any] = {**os.environ, "LENS_METRICS_PORT": "9464"}
    environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    done = subprocess.run([sys.executable, "manage.py", "serve_metrics"], cwd=ROOT, env=environ, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"PROMETHEUS_MULTIPROC_DIR" in done.stderr


def _first_answer(url: str) -> str:
    ends = time.monotonic() + 30
    while True:
        try:
            return httpx2.get(url).text
        except httpx2.TransportError:
            assert time.monotonic() < ends
            time.sleep(0.1)
