"""Ends the processes of a supervisor that died without stopping them (kill -9, out of memory).

Runs as a child in a session of its own and reads lines from the supervisor: `+ pid signal` when a process group starts,
`- pid` when it is gone. End of input means the supervisor is no more: what is left gets its stop signal, and ten seconds
later SIGKILL. Every process group is ended whole, grandchildren included, which a parent-death signal would not do.
Only the standard library: it is started with `python -I -S` to be up in milliseconds.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

PATIENCE_S = 10.0


def follow(lines: Iterable[str]) -> dict[int, int]:
    """The process groups still running at the end of input, each with its stop signal."""
    groups: dict[int, int] = {}
    for line in lines:
        match line.split():
            case ["+", pid, stop_signal]:
                groups[int(pid)] = int(stop_signal)
            case ["-", pid]:
                groups.pop(int(pid), None)
    return groups


def end(groups: dict[int, int], patience: float = PATIENCE_S) -> None:
    """Asks every group's leader to stop; kills the rest of each group when its leader is gone, or when patience ends."""
    for pid, stop_signal in groups.items():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, stop_signal)
    deadline = time.monotonic() + patience
    left = set(groups)
    while left:
        over = {pid for pid in left if time.monotonic() >= deadline or not _running(pid)}
        for pid in over:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        left -= over
        time.sleep(0.02)


def _running(pid: int) -> bool:
    """False for a zombie too: nobody may ever collect it, for in a container the first process need not."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - pathlib would double the start-up time
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, PermissionError):
        return False
    except FileNotFoundError:  # no /proc on this system
        return True


if __name__ == "__main__":
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    end(follow(sys.stdin))
