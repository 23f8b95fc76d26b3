"""Does the database have everything this code counts on? Asked until it does; a process that saw it once asks no more.

And the time that giving it all of it may take.
"""

from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor


class _Migrations:
    """Reading every migration takes a tenth of a second: nothing a probe may cost for ever."""

    def __init__(self) -> None:
        self._applied = False

    def applied(self) -> bool:
        if not self._applied:
            executor = MigrationExecutor(connection)
            self._applied = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        return self._applied

    def forget(self) -> None:
        self._applied = False


_migrations = _Migrations()


def migrated() -> bool:
    """Whether no migration is pending. Raises DatabaseError when the database is away."""
    return _migrations.applied()


def forget_migrations() -> None:
    """Ask again at the next question."""
    _migrations.forget()


def begin_patience(using: str, **_: object) -> None:
    """A receiver of `pre_migrate`: an index over a million rows takes its time. A lock is waited for no longer than usual."""
    with connections[using].cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")


def end_patience(using: str, **_: object) -> None:
    """A receiver of `post_migrate`."""
    with connections[using].cursor() as cursor:
        cursor.execute("RESET statement_timeout")
