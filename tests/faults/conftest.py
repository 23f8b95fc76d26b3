"""One stack to break: its crash points can be armed, and its model has a short lease."""

from collections.abc import Iterator

import pytest

from tests.stack import Lens, running


@pytest.fixture(scope="package")
def lens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lens]:
    """Every test leaves it whole."""
    with running(tmp_path_factory.mktemp("faults"), LENS_CRASH_POINTS="1") as started:
        started.manage("model", "set", "chatgpt", "--timeout-ms", "2000")
        yield started
