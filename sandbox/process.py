"""A process as declared, and the child that runs it: spawned as the head of its own process group, ended with all of it."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.probes import Probe, running

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
HEALTHY_AFTER_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Process:
    """What to run and how to tell that it is ready.

    `env` is the whole environment (None: inherited). `terminal=True` leaves the output on ours instead of `log/<name>.log`.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    user: int | None = None
    ready: Probe = running
    ready_within: float = 30.0
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    terminal: bool = False


def pause(failures: int) -> float:
    """Seconds before the next start after so many failures in a row: 0.5, 1, 2, 4, 8, 10, 10 …"""
    return min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE_S)


@dataclass
class Child:
    """One declared process over its lives. `failures` counts ends in a row, forgotten after 30 s of health."""

    process: Process
    run_dir: Path
    log: Path
    failures: int = 0
    held: bool = False
    next_start: float = 0.0
    started: float = 0.0
    popen: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid_file(self) -> Path:
        return self.run_dir / f"{self.process.name}.pid"

    @property
    def pid(self) -> int | None:
        """None between two lives."""
        return self.popen.pid if self.popen else None

    def spawn(self) -> int:
        """Starts it and returns the pid, which is also the process group."""
        declared = self.process
        self.popen = spawn(declared, None if declared.terminal else self.log)
        self.started = time.monotonic()
        self.pid_file.write_text(f"{self.popen.pid}\n")
        return self.popen.pid

    def ended(self) -> int | None:
        """The exit code once it has ended, with the rest of its group killed; None while it runs or between two lives."""
        if self.popen is None or (code := self.popen.poll()) is None:
            return None
        kill_group(self.popen.pid)
        self._bury()
        if time.monotonic() - self.started >= HEALTHY_AFTER_S:
            self.failures = 0
        self.put_off()
        return code

    def put_off(self) -> None:
        """Counts a failure and sets the time of the next start."""
        self.failures += 1
        self.next_start = time.monotonic() + pause(self.failures)

    def ask_to_stop(self) -> None:
        if self.popen:
            self.popen.send_signal(self.process.stop_signal)

    def await_end(self, deadline: float) -> None:
        """Waits until `deadline` (monotonic seconds), then kills the whole group."""
        if self.popen is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(max(deadline - time.monotonic(), 0))
        kill_group(self.popen.pid)
        self.popen.wait()
        self._bury()

    def _bury(self) -> None:
        self.pid_file.unlink(missing_ok=True)
        self.popen = None


def spawn(process: Process, log: Path | None) -> "subprocess.Popen[bytes]":
    """Starts the process in a session of its own, its output appended to `log` (None: our own output)."""
    with (log or Path(os.devnull)).open("ab") as stream:
        return subprocess.Popen(
            process.argv,
            env=process.env,
            cwd=process.cwd,
            user=process.user,
            group=process.user,
            extra_groups=None if process.user is None else [],
            stdin=subprocess.DEVNULL,
            stdout=stream if log else None,
            stderr=subprocess.STDOUT if log else None,
            start_new_session=True,
        )


def kill_group(pid: int) -> None:
    """SIGKILL to what is left of a process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
