"""The browser: Debian's Chromium, driven without a download of its own."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

# Set where a missing browser must be a failure and not a skipped test, as in `.ci/run`.
REQUIRED = "BROWSER_TESTS_REQUIRED"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
]


def found() -> str | None:
    """Where Chromium is, if it is."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def required() -> bool:
    """Whether its absence is a failure."""
    return os.environ.get(REQUIRED) == "1"


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser. Raises RuntimeError where there is none."""
    path = found()
    if path is None:
        raise RuntimeError("there is no Chromium; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
