"""Where processes count: in files of a shared directory, at a place that each holds by a lock for as long as it lives.

A place is a number. Who comes later takes the first that is free and goes on counting in its files, so there are never more files
than processes ran at once. Containers share the directory and know neither each other's names nor processes; the lock they all see.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from prometheus_client import values


class Place:
    """The number this process counts under; a fork takes one of its own."""

    def __init__(self, shared: Path) -> None:
        self._shared = shared
        self._process, self._number, self._lock = 0, -1, -1

    def __call__(self) -> int:
        if self._process != os.getpid():
            self._move()
        return self._number

    def _move(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)  # a fork's copy; the parent's own still holds its place
        self._process, self._number = os.getpid(), 0
        while (lock := _taken(self._shared, self._number)) is None:
            self._number += 1
        self._lock = lock
        _let_go(self._shared, self._number)


def count_by_process() -> None:
    """From here on, metrics are kept by process."""
    if shared := directory():
        values.ValueClass = values.MultiProcessValue(Place(shared))  # type: ignore[no-untyped-call]


def directory() -> Path | None:
    """The shared directory; None where a process counts for itself alone."""
    path = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(path) if path else None


def forget_the_dead() -> None:
    """What a process was holding when it died – its open sockets – is no longer held."""
    shared = directory()
    for file in shared.glob("*.lock") if shared else ():
        number = int(file.stem)
        if (lock := _taken(file.parent, number)) is not None:
            _let_go(file.parent, number)
            os.close(lock)


def _taken(shared: Path, number: int) -> int | None:
    """The lock on a place, as an open file; None while somebody else holds it."""
    lock = os.open(shared / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _let_go(shared: Path, number: int) -> None:
    for path in shared.glob(f"gauge_live*_{number}.db"):
        with suppress(FileNotFoundError):
            path.unlink()
