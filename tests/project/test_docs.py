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


PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+\.png)\)")
PICTURES = ROOT / "docs" / "screenshots"
LARGEST_PICTURE = 300_000


def pictured() -> set[Path]:
    """Every picture that a page of the handbook or the README shows."""
    pages = [ROOT / "README.md", *(page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts)]
    return {(page.parent / place).resolve() for page in pages for place in PICTURE.findall(page.read_text())}


def test_every_picture_that_is_shown_exists_and_every_one_there_is_is_shown() -> None:
    assert pictured() == set(PICTURES.iterdir())


def test_no_picture_is_too_large_for_its_page() -> None:
    assert [path.name for path in PICTURES.iterdir() if path.stat().st_size >= LARGEST_PICTURE] == []


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
