"""A process that cannot do its work ends where it starts, and says why."""

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


@pytest.mark.parametrize(
    "command",
    [
        ["model", "list", "--json"],
        ["create_api_key", "desk", "--scopes", "signals:write"],
        ["retry_dlq", "--stage", "enrich", "--dry-run"],
        ["new_epoch", "--dry-run"],
        ["show_event", "0199c000-0000-7000-8000-000000000000"],
    ],
    ids=lambda command: str(command[0]),
)
def test_without_a_database_a_command_ends_with_4_and_one_sentence(command: list[str]) -> None:
    environ = {**os.environ, "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}
    environ["DJANGO_SETTINGS_MODULE"] = "lens_project.settings.test"
    done = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert "The database does not answer" in done.stderr
    assert "Traceback" not in done.stderr
