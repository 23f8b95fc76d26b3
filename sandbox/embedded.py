"""What the two embedded servers have in common: what preparing one yields, and how to end one that a killed session left."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from sandbox.process import Process

ORPHAN_PATIENCE_S = 10.0


@dataclass(frozen=True)
class Embedded:
    """A server ready to be started, and where it will answer."""

    url: str
    process: Process


def end_leftover(pid_file: Path, directory: Path, stop_signal: signal.Signals) -> None:
    """Ends the server a killed session left running in `directory` and removes its pid file.

    The pid alone proves nothing, for numbers are used again: it is our server if it stands in that directory. Elsewhere than on
    Linux that cannot be asked, and the pid file is left to the server's own judgement.
    """
    if not pid_file.exists() or not Path("/proc/self/cwd").exists():
        return
    pid = int(pid_file.read_text().split()[0])
    deadline = time.monotonic() + ORPHAN_PATIENCE_S
    while _stands_in(pid, directory):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, stop_signal if time.monotonic() < deadline else signal.SIGKILL)
        time.sleep(0.1)
    pid_file.unlink(missing_ok=True)


def _stands_in(pid: int, directory: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").samefile(directory)
    except OSError:
        return False
