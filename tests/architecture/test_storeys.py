"""Imports point down: the contracts of pyproject.toml hold, and the only writer of status is the lifecycle."""

import re
import subprocess
import sys
from pathlib import Path

from tests.architecture.test_budgets import ROOT, sources

_STATUS_WRITE = re.compile(r"\.update\([^)]*\bstatus\s*=")


def test_the_storeys_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_only_the_lifecycle_moves_a_signal() -> None:
    writers = {
        str(path.relative_to(ROOT))
        for path in sources()
        if _STATUS_WRITE.search(path.read_text()) and "Signal.objects" in path.read_text()
    }
    assert writers <= {"signals/lifecycle.py"}


def test_the_drawing_names_every_app() -> None:
    drawing = (ROOT / "ARCHITECTURE.md").read_text()
    apps = [path.name for path in ROOT.iterdir() if (path / "apps.py").is_file()]
    assert [app for app in apps if app not in drawing] == []
    assert Path(ROOT / "ARCHITECTURE.md").is_file()
