"""Named places where a test may kill the process: between any two statements that commit.

Armed only by `LENS_CRASH_POINTS=1`. A file `run/crash-at-<name>` in the data directory then kills the next process that comes by
as `kill -9` does: no handler runs, nothing is flushed. The victim takes the file with it, so it happens once.
"""

import os
import signal
from pathlib import Path

_RUN = Path(os.environ["LENS_DATA_DIR"]) / "run" if os.environ.get("LENS_CRASH_POINTS") == "1" else None


def crashpoint(name: str) -> None:
    """Die here if a test has asked for it; otherwise do nothing."""
    if _RUN is not None:
        _die_if_chosen(_RUN / f"crash-at-{name}")


def _die_if_chosen(order: Path) -> None:
    try:
        order.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
