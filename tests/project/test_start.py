"""A process whose files are wrong ends where it starts, and says which."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ["-c", "import lens_project.wsgi"]
WORKER = ["-m", "celery", "-A", "lens_project", "worker", "-l", "WARNING"]


@pytest.mark.parametrize("command", [WEB, WORKER], ids=["web", "worker"])
def test_a_profile_that_is_not_there_is_told_before_the_first_signal(command: list[str]) -> None:
    environ = {**os.environ, "LENS_FEATURE_PROFILE": "nowhere_v9", "DJANGO_SETTINGS_MODULE": "lens_project.settings.test"}
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "LENS_FEATURE_PROFILE: there is no profile 'nowhere_v9'." in done.stderr
