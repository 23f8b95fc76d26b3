"""One supervisor per data directory.

Two locks. `run/lock` is held by the supervisor alone: taken means a stack is running here. `run/cleanup.lock` is shared with
the guard: when the supervisor was killed, it stays taken until the guard has ended the processes left behind, and only then
can a new start find its ports and its database free.
"""

import fcntl
import os
import time
from pathlib import Path

OWN_PATIENCE_S = 0.5  # a process just killed gives up its locks a moment later
CLEANUP_PATIENCE_S = 20.0


class AlreadyRunningError(Exception):
    """Another supervisor holds this data directory."""


class Lock:
    """Taken when made. `shared` is the descriptor to hand to the guard."""

    def __init__(self, run_dir: Path) -> None:
        """Raises AlreadyRunningError."""
        self._own = _take(run_dir / "lock", patience=OWN_PATIENCE_S)
        try:
            self.shared = _take(run_dir / "cleanup.lock", patience=CLEANUP_PATIENCE_S)
        except AlreadyRunningError:
            os.close(self._own)
            raise

    def release(self) -> None:
        os.close(self.shared)
        os.close(self._own)


def _take(file: Path, patience: float) -> int:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise AlreadyRunningError(f"{file} is held by another process") from None
            time.sleep(0.05)
        else:
            return descriptor
