"""The supervisor, with processes that do nothing but live, die and write down when they did."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.guard import follow
from sandbox.lock import AlreadyRunningError
from sandbox.process import Process, pause
from sandbox.supervisor import HaltedError, StartError, Supervisor

ROOT = Path(__file__).resolve().parents[2]
SLEEP = "import time; time.sleep(600)"


def eventually(true: Callable[[], object], within: float = 10.0) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def python(name: str, code: str = SLEEP, **changes: object) -> Process:
    return Process(name=name, argv=[sys.executable, "-S", "-c", textwrap.dedent(code)], **changes)  # type: ignore[arg-type]


def running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path) as running_supervisor:
        yield running_supervisor


@pytest.mark.parametrize(("failures", "seconds"), [(1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 10), (7, 10), (2000, 10)])
def test_the_pause_doubles_from_half_a_second_to_ten(failures: int, seconds: float) -> None:
    assert pause(failures) == seconds


def test_the_guard_remembers_what_started_and_did_not_end() -> None:
    assert follow(["+ 10 15", "+ 11 2", "- 10", "+ 12 15", "- 99", "torn lin"]) == {11: 2, 12: 15}


def test_a_started_process_has_its_pid_in_a_file_and_its_output_in_a_log(supervisor: Supervisor) -> None:
    said = supervisor.log_dir / "talker.log"
    talker = python("talker", f"print('hello', flush=True); {SLEEP}", ready=lambda: "hello" in said.read_text())
    supervisor.start(talker)
    assert int((supervisor.run_dir / "talker.pid").read_text()) == supervisor.child("talker").pid


def test_start_returns_only_when_the_probe_says_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    code = f"import time, pathlib; time.sleep(0.5); pathlib.Path({str(flag)!r}).touch(); time.sleep(600)"
    supervisor.start(python("late", code, ready=flag.exists))
    assert flag.exists()


def test_a_process_never_ready_is_an_error_that_shows_its_log(supervisor: Supervisor) -> None:
    mute = python("mute", f"print('waiting for the moon', flush=True); {SLEEP}", ready=lambda: False, ready_within=3)
    with pytest.raises(StartError, match=r"(?s)mute was not ready within.*waiting for the moon"):
        supervisor.start(mute)


def test_a_process_that_keeps_ending_is_given_up_with_its_last_words(supervisor: Supervisor) -> None:
    with pytest.raises(StartError, match=r"(?s)broken ended 3 times.*ValueError: no such luck"):
        supervisor.start(python("broken", "raise ValueError('no such luck')", ready=lambda: False))


def test_a_program_that_does_not_exist_is_an_error_at_once(supervisor: Supervisor) -> None:
    with pytest.raises(StartError, match="ghost cannot be started"):
        supervisor.start(Process(name="ghost", argv=["/nonexistent/program"]))


def test_a_killed_child_comes_back_after_half_a_second_then_after_one(supervisor: Supervisor) -> None:
    supervisor.start(python("phoenix"))
    child = supervisor.child("phoenix")
    for shortest in (0.5, 1.0):
        before, killed = child.pid, time.monotonic()
        assert before
        os.kill(before, signal.SIGKILL)
        eventually(lambda old=before: child.pid not in (None, old))  # type: ignore[misc]
        assert shortest <= time.monotonic() - killed < shortest + 5
    assert int((supervisor.run_dir / "phoenix.pid").read_text()) == child.pid


def test_thirty_seconds_of_health_forget_earlier_failures(supervisor: Supervisor) -> None:
    supervisor.start(python("veteran"))
    child = supervisor.child("veteran")
    child.failures = 5
    child.started -= 31
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    eventually(lambda: child.failures == 1)


def test_grandchildren_end_with_their_parent(supervisor: Supervisor, tmp_path: Path) -> None:
    note = tmp_path / "grandchild"
    supervisor.start(python("parent", PARENT_OF_A_STUBBORN_CHILD.format(note=str(note)), ready=note.exists))
    eventually(note.read_text)
    grandchild, parent = int(note.read_text()), supervisor.child("parent").pid
    assert parent
    os.kill(parent, signal.SIGKILL)
    eventually(lambda: not running(grandchild))


def test_stopping_goes_backwards_batch_by_batch(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    diary.touch()
    with Supervisor(tmp_path) as supervisor:
        for name in ("first", "second", "third"):
            code = WRITES_WHEN_STOPPED.format(diary=str(diary), name=name)
            supervisor.start(python(name, code, ready=lambda name=name: f"{name} up" in diary.read_text()))
    assert diary.read_text().split("\n")[3:] == ["third down", "second down", "first down", ""]
    assert list((tmp_path / "run").glob("*.pid")) == []


def test_a_child_deaf_to_its_stop_signal_is_killed_after_its_grace(tmp_path: Path) -> None:
    note = tmp_path / "deaf"
    code = f"import signal, pathlib, time; signal.signal(15, signal.SIG_IGN); pathlib.Path({str(note)!r}).touch(); time.sleep(600)"
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(python("deaf", code, ready=note.exists, grace=0.5))
        pid, began = supervisor.child("deaf").pid, time.monotonic()
    assert 0.5 <= time.monotonic() - began < 8
    assert pid is not None
    assert not running(pid)


def test_halting_ends_a_wait(supervisor: Supervisor) -> None:
    threading.Timer(0.3, supervisor.halt).start()
    with pytest.raises(HaltedError):
        supervisor.start(python("mute", ready=lambda: False))


def test_a_command_run_to_its_end_gives_its_output_or_its_failure(supervisor: Supervisor) -> None:
    assert supervisor.run(python("ok", "print('42')")) == "42\n"
    with pytest.raises(StartError, match=r"(?s)bad failed \(exit code 3\).*oh no"):
        supervisor.run(python("bad", "print('oh no'); raise SystemExit(3)"))


def test_a_log_keeps_one_session_back(tmp_path: Path) -> None:
    for session in ("one", "two", "three"):
        with Supervisor(tmp_path) as supervisor:
            supervisor.run(python("talker", f"print({session!r})"))
    logs = {file.name: file.read_text() for file in (tmp_path / "log").iterdir()}
    assert logs == {"talker.log": "three\n", "talker.log.1": "two\n"}


def test_a_second_supervisor_on_the_same_directory_is_refused(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(AlreadyRunningError):
        Supervisor(tmp_path).__enter__()


@pytest.fixture
def outside(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A supervisor in a process of its own, with a child that has a child deaf to SIGTERM."""
    note, script = tmp_path / "grandchild", tmp_path / "outside.py"
    script.write_text(OUTSIDE.format(directory=str(tmp_path), code=PARENT_OF_A_STUBBORN_CHILD.format(note=str(note))))
    process = subprocess.Popen([sys.executable, script], env={**os.environ, "PYTHONPATH": str(ROOT)})
    eventually(lambda: note.exists() and note.read_text())
    yield process
    process.kill()
    process.wait()


def family(directory: Path) -> list[int]:
    return [int((directory / "run" / "parent.pid").read_text()), int((directory / "grandchild").read_text())]


def test_no_orphan_is_left_by_a_killed_supervisor(outside: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    pids = family(tmp_path)
    assert all(running(pid) for pid in pids)
    outside.kill()
    eventually(lambda: not any(running(pid) for pid in pids), within=15)


def test_a_killed_guard_is_replaced_and_still_does_its_duty(outside: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    pids, first = family(tmp_path), guard_of(outside.pid)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: guard_of(outside.pid, but=first))
    outside.kill()
    eventually(lambda: not any(running(pid) for pid in pids), within=15)


def test_after_a_kill_the_next_start_waits_until_the_directory_is_clean(outside: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    pids = family(tmp_path)
    outside.kill()
    with Supervisor(tmp_path):
        assert not any(running(pid) for pid in pids)


def guard_of(pid: int, but: int = 0) -> int:
    """The pid of a supervisor's guard, 0 when it has none."""
    children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    children += [int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()]
    guards = [child for child in children if child != but and b"guard.py" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return guards[0] if guards else 0


PARENT_OF_A_STUBBORN_CHILD = """
import pathlib, subprocess, sys, time
stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-S", "-c", stubborn])
pathlib.Path({note!r}).write_text(str(child.pid))
time.sleep(600)
"""

WRITES_WHEN_STOPPED = """
import signal, sys, time
def write(what):
    with open({diary!r}, "a") as diary:
        diary.write("{name} " + what + "\\n")
def stop(*_):
    time.sleep(0.2)
    write("down")
    sys.exit()
signal.signal(15, stop)
write("up")
time.sleep(600)
"""

OUTSIDE = """
import pathlib, sys
from sandbox.process import Process
from sandbox.supervisor import Supervisor
code = '''{code}'''
with Supervisor(pathlib.Path({directory!r})) as supervisor:
    supervisor.start(Process(name="parent", argv=[sys.executable, "-S", "-c", code]))
    supervisor.halted.wait()
"""
