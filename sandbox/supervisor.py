"""Starts declared processes in order, keeps them alive, stops them in reverse order, and leaves none behind.

    with Supervisor(data_dir) as supervisor:
        supervisor.start(database, queue)     # side by side; returns when both are ready
        supervisor.start(web)                 # stopped before the two above
        supervisor.halted.wait()

A child that ends is started again after 0.5 s, doubling to 10 s. Every child heads its own process group, which ends with it.
If the supervisor itself is killed, its guard (sandbox/guard.py) ends the groups. Pids are in `run/<name>.pid`, output in
`log/<name>.log`, the previous session's in `log/<name>.log.1`.
"""

import contextlib
import logging
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from sandbox.guardian import Guardian
from sandbox.lock import Lock
from sandbox.probes import Probe
from sandbox.process import Child, Process, kill_group, spawn

TICK_S = 0.05
EARLY_ENDS = 3
TAIL_LINES = 15
_log = logging.getLogger(__name__)


class StartError(Exception):
    """A process did not become ready; the message carries the end of its log."""


class HaltedError(Exception):
    """`halt()` was called while something was being waited for."""


class Supervisor:
    """Used as a context: entering takes the directory's lock, leaving stops everything."""

    def __init__(self, data_dir: Path) -> None:
        self.run_dir, self.log_dir = data_dir / "run", data_dir / "log"
        self.halted = threading.Event()
        self._batches: list[list[Child]] = []
        self._state = threading.RLock()
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._closing = threading.Event()

    def __enter__(self) -> Self:
        """Raises AlreadyRunningError when another supervisor holds the directory."""
        for directory in (self.run_dir.parent, self.run_dir, self.log_dir):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = Lock(self.run_dir)
        for stale in self.run_dir.glob("*.pid"):
            stale.unlink()
        self._guardian = Guardian(self._lock.shared)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *processes: Process) -> None:
        """Starts them side by side and waits until all are ready.

        Raises StartError when one ends three times or is not ready in time, HaltedError when `halt()` is called.
        """
        self.launch(*processes)
        self.await_ready(*processes)

    def launch(self, *processes: Process) -> None:
        """Starts them side by side, as one batch, without waiting. Raises StartError when a program cannot be run at all."""
        with self._state:
            batch = [Child(process, self.run_dir, self._rotate(process.name)) for process in processes]
            self._batches.append(batch)
            for child in batch:
                try:
                    self._spawn(child)
                except OSError as error:
                    raise StartError(f"{child.process.name} cannot be started: {error}") from error

    def await_ready(self, *processes: Process) -> None:
        """Waits for processes launched earlier. Raises as `start` does."""
        for process in processes:
            self._await_ready(self.child(process.name))

    def wait_until(self, probe: Probe, within: float, what: str) -> None:
        """Waits for something several processes bring about. Raises StartError as `start` does, HaltedError."""
        deadline = time.monotonic() + within
        while not probe():
            self._refuse_failing(self._children())
            if time.monotonic() > deadline:
                raise StartError(f"{what} was not there within {within:.0f} s; see {self.log_dir}")
            self._pause()

    def run(self, process: Process) -> str:
        """Runs it to its end and returns its output (empty with `terminal`). Raises StartError on failure, HaltedError."""
        log = None if process.terminal else self._rotate(process.name)
        popen = spawn(process, log)
        self._guardian.watch(popen.pid, process.stop_signal)
        try:
            while popen.poll() is None:
                self._pause()
        finally:
            popen.send_signal(process.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                popen.wait(process.grace)
            kill_group(popen.pid)
            popen.wait()
            self._guardian.forget(popen.pid)
        if popen.returncode != 0:
            raise StartError(f"{process.name} failed ({_describe(popen.returncode)})" + _tail(log))
        return log.read_text(errors="replace") if log else ""

    def halt(self) -> None:
        """Ends every wait with HaltedError. Safe to call from a signal handler."""
        self.halted.set()

    def child(self, name: str) -> Child:
        """Raises KeyError."""
        for child in self._children():
            if child.process.name == name:
                return child
        raise KeyError(name)

    def hold(self, name: str) -> None:
        """Kills a process and keeps it down until `release`: how an outage is played. Raises KeyError."""
        with self._state:
            child = self.child(name)
            child.held = True
            if pid := child.pid:
                child.await_end(time.monotonic())
                self._guardian.forget(pid)

    def release(self, name: str) -> None:
        """Ends a hold; the process is started again at once. Raises KeyError."""
        with self._state:
            child = self.child(name)
            child.held, child.failures, child.next_start = False, 0, 0.0

    def stop(self) -> None:
        """Stops batch by batch, the last started first; within a batch side by side. A second call does nothing."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._watcher.join()
        for batch in reversed(self._batches):
            for child in batch:
                child.ask_to_stop()
            asked = time.monotonic()
            for child in batch:
                pid = child.pid
                child.await_end(asked + child.process.grace)
                if pid:
                    self._guardian.forget(pid)
        self._guardian.dismiss()
        self._lock.release()

    def _rotate(self, name: str) -> Path:
        log = self.log_dir / f"{name}.log"
        if log.exists():
            log.replace(log.with_name(log.name + ".1"))
        return log

    def _children(self) -> Iterable[Child]:
        return [child for batch in self._batches for child in batch]

    def _spawn(self, child: Child) -> None:
        self._guardian.watch(child.spawn(), child.process.stop_signal)

    def _await_ready(self, child: Child) -> None:
        process = child.process
        deadline = time.monotonic() + process.ready_within
        while not (child.pid and process.ready()):
            self._refuse_failing([child])
            if time.monotonic() > deadline:
                raise StartError(f"{process.name} was not ready within {process.ready_within:.0f} s" + _tail(child.log))
            self._pause()

    def _refuse_failing(self, children: Iterable[Child]) -> None:
        for child in children:
            if child.failures >= EARLY_ENDS:
                raise StartError(f"{child.process.name} ended {child.failures} times in a row" + _tail(child.log))

    def _pause(self) -> None:
        if self.halted.wait(TICK_S):
            raise HaltedError

    def _watch(self) -> None:
        while not self._closing.wait(TICK_S):
            with self._state:
                self._guardian.revive()
                for child in self._children():
                    self._keep_alive(child)

    def _keep_alive(self, child: Child) -> None:
        pid, code = child.pid, child.ended()
        if pid and code is not None:
            self._guardian.forget(pid)
            wait = child.next_start - time.monotonic()
            _log.warning("%s ended (%s); starting it again in %.1f s", child.process.name, _describe(code), wait)
        elif child.pid is None and not child.held and time.monotonic() >= child.next_start and not self.halted.is_set():
            self._spawn_again(child)

    def _spawn_again(self, child: Child) -> None:
        try:
            self._spawn(child)
        except OSError as error:
            child.put_off()
            _log.error("%s cannot be started: %s", child.process.name, error)


def _describe(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _tail(log: Path | None) -> str:
    if log is None:
        return ""
    with log.open(errors="replace") as lines:
        last = deque(lines, maxlen=TAIL_LINES)
    return f". The end of {log}:\n" + "".join(f"  {line}" for line in last)
