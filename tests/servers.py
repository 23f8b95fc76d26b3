"""A pytest plugin: real PostgreSQL and a real Redis-compatible server for this run, started before Django reads its settings.

Each run has servers of its own in a temporary directory; DATABASE_URL and REDIS_URL, when set, are used instead. Where tests run
side by side each worker has its own, so that none flushes what another counts on.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from sandbox.services import Servers

_running = ExitStack()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Before pytest-django loads the settings."""
    directory = Path(_running.enter_context(tempfile.TemporaryDirectory(prefix="lens-tests-", ignore_cleanup_errors=True)))
    directory.chmod(0o755)
    # A worker inherits the addresses that the run it belongs to has set; those are not meant for it.
    servers = _running.enter_context(Servers(directory, {} if "PYTEST_XDIST_WORKER" in os.environ else None))
    os.environ["DATABASE_URL"] = servers.database_url
    os.environ["REDIS_URL"] = servers.redis_url
    os.environ["LENS_DATA_DIR"] = str(directory)


def pytest_unconfigure() -> None:
    """After the last test: stop the servers and drop their data."""
    _running.close()
