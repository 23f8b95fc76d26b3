"""The handbook builds without a warning, from every page there is, and asks nothing of the internet."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOADED = re.compile(
    r"""<(?:script|img|iframe)[^>]+src=["'](https?:)?//|<link[^>]+rel=["']stylesheet["'][^>]+href=["'](https?:)?//"""
)


@pytest.fixture(scope="module")
def handbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("handbook")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", str(built)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return built


def test_every_page_is_in_the_handbook(handbook: Path) -> None:
    pages = {
        path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts
    }
    built = {path.relative_to(handbook).with_suffix("") for path in handbook.rglob("*.html")}
    assert pages <= built


def test_reading_it_loads_nothing_from_elsewhere(handbook: Path) -> None:
    for page in handbook.rglob("*.html"):
        assert not LOADED.search(page.read_text()), page.name
