"""Servers of its own and the product in this process, for a bench that needs no other process of it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
from django.core.management import call_command

from sandbox.services import Servers


@contextmanager
def ground(**settings: str) -> Iterator[int | None]:
    """An empty database with its schema, or the one that DATABASE_URL names; `settings` are environment variables.

    Yields the pid of the PostgreSQL that was started for it, if one was.
    """
    given = bool(os.environ.get("DATABASE_URL"))
    with tempfile.TemporaryDirectory(prefix="lens-bench-") as directory:
        Path(directory).chmod(0o755)
        with Servers(Path(directory)) as servers:
            os.environ |= {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url, "LENS_DATA_DIR": directory}
            os.environ |= {"DJANGO_SETTINGS_MODULE": "lens_project.settings.test", **settings}
            django.setup()
            call_command("migrate", verbosity=0)
            yield None if given else servers.supervisor.child("postgres").pid
