"""`manage.py loadtest`: every signal accounted for, from another shell, as a person would run it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import Lens

pytestmark = pytest.mark.stack
ROOT = Path(__file__).resolve().parents[2]


def loadtest(lens: Lens, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Finds the stack by its data directory alone, as in any other shell."""
    environ = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    environ["LENS_DATA_DIR"] = str(lens.stack.plan.data_dir)
    command = [sys.executable, "manage.py", "loadtest", "--json", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def test_every_signal_is_accounted_for(lens: Lens) -> None:
    done = loadtest(lens, "--rate", "4", "--seconds", "2")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["planned"], found["accepted"], found["refused"], found["without_verdict"]) == (8, 8, 0, 0)
    assert sum(found["ends"].values()) == 8
    assert 0 < found["acknowledged_s"]["p50"] < found["end_to_end_s"]["p99"]


def test_a_key_that_may_not_send_is_told_so(lens: Lens) -> None:
    done = loadtest(lens, "--rate", "1", "--seconds", "1", "--key", "lens_00000000_wrong")
    assert done.returncode in (1, 4)
    assert done.stderr
