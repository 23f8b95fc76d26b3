"""One running stack for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import Lens, running


@pytest.fixture(scope="package")
def lens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lens]:
    """The product, started by its own launcher, with two socket processes."""
    directory: Path = tmp_path_factory.mktemp("stack")
    with running(directory) as started:
        yield started
