"""The supervisor's end of the guard (sandbox/guard.py): tells it what runs, and replaces it when it is killed."""

import contextlib
import os
import subprocess
import sys

from sandbox import guard


class Guardian:
    """Starts the guard when made. `lock` is a descriptor the guard holds open for as long as it lives."""

    def __init__(self, lock: int) -> None:
        self._lock = lock
        self._groups: dict[int, int] = {}
        self._guard = self._start()

    def watch(self, pid: int, stop_signal: int) -> None:
        """From now on the process group is ended if we are killed."""
        self._groups[pid] = int(stop_signal)
        self._tell(f"+ {pid} {int(stop_signal)}")

    def forget(self, pid: int) -> None:
        """The group is gone; its number may soon be somebody else's."""
        self._groups.pop(pid, None)
        self._tell(f"- {pid}")

    def revive(self) -> None:
        """Starts another guard if this one has died."""
        if self._guard.poll() is not None:
            former = self._line
            self._guard = self._start()
            os.close(former)

    def dismiss(self) -> None:
        """Ends the guard, which ends whatever was not forgotten."""
        os.close(self._line)
        self._guard.wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        """A guard that has everything before it from its first moment on: we may be killed before we could say more."""
        reading, self._line = os.pipe()
        for pid, stop_signal in self._groups.items():
            os.write(self._line, f"+ {pid} {stop_signal}\n".encode())
        argv = [sys.executable, "-I", "-S", guard.__file__]
        # Our own output is closed to it: whoever reads that to its end waits for us, not for the guard.
        quiet = subprocess.DEVNULL
        try:
            return subprocess.Popen(argv, stdin=reading, stdout=quiet, stderr=quiet, start_new_session=True, pass_fds=[self._lock])
        finally:
            os.close(reading)

    def _tell(self, line: str) -> None:
        # A broken pipe means the guard was killed; `revive` starts another and tells it everything.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._line, f"{line}\n".encode())
