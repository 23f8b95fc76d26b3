"""The papers about settings are drawn from the settings, and every setting is tried."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lens_project.settings import described

ROOT = Path(__file__).resolve().parents[2]
# What only names them: their faults and their papers.
ABOUT = {"test_settings.py", "test_described.py"}


@pytest.mark.parametrize(("option", "paper"), [("--page", "docs/configuration.md"), ("--env-example", ".env.example")])
def test_the_paper_is_the_one_the_settings_draw(option: str, paper: str) -> None:
    command = [sys.executable, "-m", "lens_project.settings.described", option]
    drawn = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (ROOT / paper).read_text() == drawn, f"{described.REGENERATE} {option} > {paper}"


def test_every_setting_has_a_test_of_its_effect() -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py") if path.name not in ABOUT)
    names = [line.name for lines in described.parts().values() for line in lines]
    untried = [name for name in names if not re.search(rf"""{name}\b|["(, ]{name.removeprefix("LENS_").lower()}(=|":)""", tests)]
    assert untried == []


def test_each_setting_says_what_it_does_and_stands_once() -> None:
    lines = [line for part in described.parts().values() for line in part]
    assert all(line.effect for line in lines)
    assert len({line.name for line in lines}) == len(lines) > 40
