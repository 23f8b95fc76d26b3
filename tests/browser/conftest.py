"""One product and one browser for all tests of this folder. Its tests use neither asyncio nor the test database."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium
from tests.browser.visitor import Visitor, visiting
from tests.stack import Lens, running

HEARTBEAT_S = 0.5


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium; where it is missing the tests are skipped aloud, or fail where it is required."""
    if chromium.found() is None:
        if chromium.required():
            pytest.fail(f"{chromium.REQUIRED} is set and there is no Chromium")
        warnings.warn("There is no Chromium: the pages were NOT tried in a browser.", pytest.PytestWarning, stacklevel=1)
        pytest.skip("there is no Chromium; on Debian: apt-get install chromium")
    with chromium.launched() as launched:
        yield launched


@pytest.fixture(scope="package")
def lens(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lens]:
    """The whole product, with a heartbeat quick enough to be missed within a test."""
    where: Path = tmp_path_factory.mktemp("browser") / "lens"
    with running(where, LENS_HEARTBEAT_S=str(HEARTBEAT_S)) as stack:
        yield stack


@pytest.fixture(scope="package")
def published(lens: Lens) -> list[str]:
    """Signals that have been through: taken, judged, published; one that was rejected is the last."""
    opened = [
        lens.submit(),
        lens.submit(symbol="ETH", metadata={"note": "seen"}),
        lens.submit(entry_price="1", liquidation_price="0.5"),
    ]
    lens.settled(opened)
    return opened


@pytest.fixture(scope="package")
def session(browser: Browser, lens: Lens) -> Any:
    """The demo admin's cookies."""
    with visiting(browser, lens.facts["http"]) as visitor:
        visitor.log_in(lens.facts["admin"]["user"], lens.facts["admin"]["password"])
        return visitor.page.context.storage_state()


@pytest.fixture
def visitor(browser: Browser, lens: Lens, session: Any) -> Iterator[Visitor]:
    """The demo admin, logged in, on a page of its own."""
    with visiting(browser, lens.facts["http"], storage_state=session) as visitor:
        yield visitor
