"""Where processes count: one file each in a shared directory, named so that no two ever share one."""

import os
import socket
from contextlib import suppress
from pathlib import Path

from prometheus_client import values

# A host's name may hold no underscore: the files' names are split at it.
HOST = socket.gethostname().replace("_", "-")


def count_by_process() -> None:
    """From here on, metrics are kept by host and process. Containers share the directory, and in each the process is number 1."""
    if directory():
        values.ValueClass = values.MultiProcessValue(_this_process)  # type: ignore[no-untyped-call]


def directory() -> Path | None:
    """The shared directory; None where a process counts for itself alone."""
    path = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(path) if path else None


def forget_the_dead() -> None:
    """What a process of this host was holding when it died – its open sockets – is no longer held."""
    shared = directory()
    for path in shared.glob(f"gauge_live*_{HOST}-*.db") if shared else ():
        if not _alive(int(path.stem.rpartition("-")[2])):
            with suppress(FileNotFoundError):
                path.unlink()


def _this_process() -> str:
    return f"{HOST}-{os.getpid()}"


def _alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        # Signal 0 asks whether the process is there; one of another user is there too.
        with suppress(PermissionError):
            os.kill(pid, 0)
        return True
    return False
