"""The launcher, with real servers and simulators around a stand-in for the product that answers its probes and nothing else.

The stand-in is a tree of its own beside a copy of `sandbox/`, so that the launcher is run exactly as `make run` runs it.
"""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sandbox.kept import Kept, free_port
from sandbox.plan import SetupError, environment, product, read_plan, refuse_another_market, simulators, without_files
from sandbox.run import summary
from tests.stack import free_ports

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = {"postgres", "redis", "exchange", "llm", "web-0", "ws-0", "ws-1", "worker-evaluate", "worker-core", "webhooks", "beat"}

MANAGE = """
import json, os, pathlib, sys, time
import psycopg
command, data = sys.argv[1], pathlib.Path(os.environ["LENS_DATA_DIR"])
with open(data / "calls", "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
if command == "migrate":
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS django_migrations (id serial)")
elif command == "bootstrap_demo":
    print(json.dumps({"admin_user": "demo", "admin_password": "word", "api_key": "lens_key"}))
elif command == "send_signal":
    (data / "environment.json").write_text(json.dumps(dict(os.environ)))
    print("a decision", flush=True)
    time.sleep(600 if "--every" in sys.argv else 0)
elif command == "deliver_webhooks":
    time.sleep(600)
"""
WSGI = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ready"]
"""
ASGI = """
async def application(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ready"})
"""
CELERY = """
import os
from celery import Celery
app = Celery("lens", broker=os.environ["REDIS_URL"])
"""


def eventually(true: Callable[[], object], within: float = 20.0) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "sandbox", root / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "requirements.txt", root)
    (root / "manage.py").write_text(MANAGE)
    package = root / "lens_project"
    (package / "settings").mkdir(parents=True)
    for name, text in {
        "__init__": "",
        "settings/__init__": "",
        "settings/local": "",
        "wsgi": WSGI,
        "asgi": ASGI,
        "celery": CELERY,
    }.items():
        (package / f"{name}.py").write_text(text)
    return root


class Launcher:
    """`python -m sandbox.run` in the stand-in's tree."""

    def __init__(self, tree: Path, data: Path) -> None:
        self.tree, self.data, self.out = tree, data, data.with_name("out")
        self.ws_port = free_ports(2)
        self.http_port = free_port(not_these=(self.ws_port, self.ws_port + 1))
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LENS_", "DJANGO_")) and not name.endswith("_URL")
        }
        ports = {"LENS_HTTP_PORT": str(self.http_port), "LENS_WS_PORT": str(self.ws_port), "LENS_WS_PROCESSES": "2"}
        self.env = {**clean, **ports, "LENS_DATA_DIR": str(data)}

    def run(self, *options: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "sandbox.run", *options],
            cwd=self.tree,
            env={**self.env, **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, *options: str) -> "subprocess.Popen[bytes]":
        with self.out.open("wb") as out:
            argv = [sys.executable, "-m", "sandbox.run", *options]
            process = subprocess.Popen(argv, cwd=self.tree, env=self.env, stdout=out, stderr=out)
        eventually(lambda: "Serving" in self.out.read_text() or process.poll() is not None, within=60)
        assert process.poll() is None, self.out.read_text()
        return process

    def facts(self) -> dict[str, object]:
        return dict(json.loads((self.data / "run" / "stack.json").read_text()))

    def pids(self) -> dict[str, int]:
        found = {}
        for file in (self.data / "run").glob("*.pid"):
            with suppress(FileNotFoundError):  # it may end just now
                found[file.stem] = int(file.read_text())
        return found

    def calls(self) -> list[str]:
        file = self.data / "calls"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def new(tree: Path, tmp_path: Path) -> Launcher:
    """In an empty directory, as on the first day."""
    return Launcher(tree, tmp_path / "lens")


@pytest.fixture(scope="module")
def used(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory in which it ran before."""
    launcher = Launcher(tree, tmp_path_factory.mktemp("used") / "lens")
    assert launcher.run("--once", "--no-sample").returncode == 0
    assert sum(call.startswith("migrate ") for call in launcher.calls()) == 1
    (launcher.data / "calls").unlink()
    return launcher.data


@pytest.fixture
def launcher(tree: Path, used: Path, tmp_path: Path) -> Launcher:
    shutil.copytree(used, tmp_path / "lens")
    return Launcher(tree, tmp_path / "lens")


@pytest.fixture(scope="module")
def running(tree: Path, used: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    data = tmp_path_factory.mktemp("shared") / "lens"
    shutil.copytree(used, data)
    launcher = Launcher(tree, data)
    process = launcher.start("--demo")
    yield launcher
    process.terminate()
    process.wait(60)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_one_command_starts_all_of_it_shows_it_and_stops_all_of_it(new: Launcher) -> None:
    launcher, process = new, new.start("--demo")
    pids = launcher.pids()
    assert set(pids) == PROCESSES | {"demo"}
    eventually(lambda: launcher.out.read_text().count("a decision") == 2)  # the sample's, and the trickle's first
    assert answers(launcher.http_port)
    assert answers(launcher.ws_port)
    assert answers(launcher.ws_port + 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert not any(alive(pid) for pid in pids.values())
    assert launcher.pids() == {}
    said = launcher.out.read_text()
    assert f"http://127.0.0.1:{launcher.http_port}/   log in as demo / word" in said


def test_the_facts_are_private_and_whole(running: Launcher) -> None:
    file = running.data / "run" / "stack.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    facts = running.facts()
    assert set(facts) == {"http", "ws", "database", "redis", "simulators", "market", "secret_key", "keys", "api_key", "admin"}
    assert facts["ws"] == [f"ws://127.0.0.1:{running.ws_port}", f"ws://127.0.0.1:{running.ws_port + 1}"]
    assert (facts["market"], facts["api_key"]) == ("sandbox", "lens_key")


def test_every_process_is_told_where_the_others_are(running: Launcher) -> None:
    facts = running.facts()
    told = json.loads((running.data / "environment.json").read_text())
    simulators = facts["simulators"]
    assert isinstance(simulators, dict)
    assert (told["DATABASE_URL"], told["REDIS_URL"]) == (facts["database"], facts["redis"])
    assert (told["LENS_HYPERLIQUID_URL"], told["LENS_SANDBOX_LLM_URL"]) == (simulators["exchange"], simulators["llm"])
    assert told["LENS_DATA_DIR"] == str(running.data)
    assert told["PROMETHEUS_MULTIPROC_DIR"] == str(running.data / "metrics")
    assert (told["LENS_MARKET"], told["DJANGO_SECRET_KEY"]) == ("sandbox", facts["secret_key"])


def test_a_second_start_on_the_same_directory_shows_the_facts_and_changes_nothing(running: Launcher) -> None:
    before = running.pids()
    second = running.run()
    assert second.returncode == 0
    assert "already running" in second.stdout
    assert f"http://127.0.0.1:{running.http_port}/api/v1" in second.stdout
    assert running.pids() == before


@pytest.mark.parametrize("name", ["web-0", "ws-1", "worker-core", "redis", "postgres"])
def test_a_killed_process_comes_back_and_the_rest_stays(running: Launcher, name: str) -> None:
    before = running.pids()
    os.kill(before[name], signal.SIGKILL)
    eventually(lambda: running.pids().get(name, before[name]) != before[name])
    eventually(lambda: answers(running.http_port) and answers(running.ws_port + 1))
    after = running.pids()
    assert {process: pid for process, pid in after.items() if before[process] != pid} == {name: after[name]}


def test_a_killed_launcher_leaves_no_orphan_and_the_next_one_starts(launcher: Launcher) -> None:
    process = launcher.start("--no-sample")
    pids = launcher.pids()
    process.kill()
    process.wait()
    again = launcher.run("--once")
    assert again.returncode == 0, again.stdout + again.stderr
    assert not any(alive(pid) for pid in pids.values())


def test_once_sends_one_signal_and_ends(launcher: Launcher) -> None:
    done = launcher.run("--once")
    assert done.returncode == 0
    assert launcher.calls()[-1] == "send_signal --sample --follow"
    assert launcher.pids() == {}


def test_the_database_is_migrated_only_when_the_code_or_the_rows_say_so(launcher: Launcher) -> None:
    def migrations() -> int:
        before = len(launcher.calls())
        launcher.run("--once", "--no-sample")
        return sum(call.startswith("migrate ") for call in launcher.calls()[before:])

    assert migrations() == 0
    (launcher.tree / "app" / "migrations").mkdir(parents=True, exist_ok=True)
    (launcher.tree / "app" / "migrations" / "0001_initial.py").write_text(f"# {time.time_ns()}")
    assert migrations() == 1
    assert migrations() == 0


def test_a_directory_belongs_to_the_market_it_was_first_used_with(launcher: Launcher) -> None:
    refused = launcher.run("--once", LENS_MARKET="hyperliquid")
    assert refused.returncode == 1
    assert f"{launcher.data} holds decisions of the sandbox market" in refused.stderr
    assert "Set LENS_DATA_DIR to a directory for hyperliquid, or LENS_MARKET to sandbox." in refused.stderr
    assert launcher.calls() == []


@pytest.mark.parametrize("variable", ["LENS_HTTP_PORT", "LENS_WS_PORT"])
def test_a_taken_port_is_an_error_that_names_the_variable(launcher: Launcher, variable: str) -> None:
    with socket.create_server(("127.0.0.1", int(launcher.env[variable]))):
        refused = launcher.run()
    assert refused.returncode == 1
    assert f"Port {launcher.env[variable]} on 127.0.0.1 is in use" in refused.stderr
    assert f"set {variable}" in refused.stderr
    assert launcher.pids() == {}


def test_a_launcher_started_with_its_parent_ends_with_it(launcher: Launcher) -> None:
    """As under `make run` when make is killed."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'sandbox.run', '--no-sample', '--with-parent'])"
    with launcher.out.open("wb") as out:
        parent = subprocess.Popen([sys.executable, "-c", code], cwd=launcher.tree, env=launcher.env, stdout=out, stderr=out)
    eventually(lambda: "Serving" in launcher.out.read_text(), within=60)
    pids = launcher.pids()
    parent.kill()
    parent.wait()
    eventually(lambda: not any(alive(pid) for pid in pids.values()))
    eventually(lambda: launcher.pids() == {})


def test_a_directory_from_before_is_of_the_market_its_last_run_told(tmp_path: Path) -> None:
    sandbox, real = read_plan({}), read_plan({"LENS_MARKET": "hyperliquid"})
    last_run = tmp_path / "stack.json"
    refuse_another_market(real, Kept(tmp_path), last_run)
    last_run.write_text(json.dumps({"market": "sandbox"}))
    refuse_another_market(sandbox, Kept(tmp_path), last_run)
    with pytest.raises(SetupError, match="LENS_DATA_DIR"):
        refuse_another_market(real, Kept(tmp_path), last_run)


def test_the_market_of_a_directory_is_kept(tmp_path: Path) -> None:
    assert Kept(tmp_path).market is None
    Kept(tmp_path).keep_market("hyperliquid")
    assert Kept(tmp_path).market == "hyperliquid"
    with pytest.raises(SetupError, match="hyperliquid market"):
        refuse_another_market(read_plan({}), Kept(tmp_path), tmp_path / "none")


@pytest.mark.parametrize("text", ["0", "-1", "80a", "٣"])
def test_a_number_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(SetupError, match="LENS_WS_PROCESSES"):
        read_plan({"LENS_WS_PROCESSES": text})


def test_the_defaults_are_the_documented_ones() -> None:
    plan = read_plan({})
    assert (plan.host, plan.http_port, plan.ws_ports, plan.market) == ("127.0.0.1", 8000, (8001,), "sandbox")
    assert plan.data_dir == ROOT / ".lens"


def test_the_table_holds_the_documented_processes() -> None:
    rows = product(read_plan({"LENS_WS_PORT": "9001", "LENS_WS_PROCESSES": "3"}), {})
    assert [row.name for row in rows] == ["web-0", "ws-0", "ws-1", "ws-2", "worker-evaluate", "worker-core", "webhooks", "beat"]
    assert [row.argv[row.argv.index("-p") + 1] for row in rows[1:4]] == ["9001", "9002", "9003"]


@pytest.mark.parametrize(("given", "threads"), [({}, "240"), ({"LENS_EVALUATE_THREADS": "7"}, "7")])
def test_the_judges_worker_has_the_threads_it_is_given(given: dict[str, str], threads: str) -> None:
    row = next(row for row in product(read_plan(given), {}) if row.name == "worker-evaluate")
    assert row.argv[row.argv.index("--concurrency") + 1] == threads


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ({}, {}),
        ({"PYTHONDONTWRITEBYTECODE": "1"}, {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": "{data}/bytecode"}),
    ],
)
def test_bytecode_goes_to_the_data_directory_where_the_tree_must_stay_clean(
    tmp_path: Path, given: dict[str, str], got: dict[str, str]
) -> None:
    env = environment(given, read_plan({"LENS_DATA_DIR": str(tmp_path)}), Kept(tmp_path))
    chosen = {name: value for name, value in env.items() if name.startswith("PYTHON") and name != "PYTHONUNBUFFERED"}
    assert chosen == {name: value.format(data=tmp_path) for name, value in got.items()}


def test_what_the_environment_chooses_is_kept(tmp_path: Path) -> None:
    given = {"DJANGO_SECRET_KEY": "mine", "DJANGO_SETTINGS_MODULE": "mine.settings"}
    env = environment(given, read_plan({"LENS_DATA_DIR": str(tmp_path)}), Kept(tmp_path))
    assert given.items() <= env.items()


def test_the_launcher_reads_its_secrets_from_files(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://x@h/x\n")
    (tmp_path / "none").touch()
    given = {"DATABASE_URL_FILE": str(tmp_path / "url"), "OPENAI_API_KEY_FILE": "/run/secrets/key"}
    assert without_files(given) == {"DATABASE_URL": "postgresql://x@h/x", "OPENAI_API_KEY_FILE": "/run/secrets/key"}
    with pytest.raises(SetupError, match="DATABASE_URL_FILE are both set"):
        without_files({**given, "DATABASE_URL": "postgresql://y@h/y"})
    for place in ("none", "missing"):
        with pytest.raises(SetupError, match="REDIS_URL_FILE"):
            without_files({"REDIS_URL_FILE": str(tmp_path / place)})


def test_a_simulator_the_environment_names_is_not_started(tmp_path: Path) -> None:
    plan = read_plan({})
    assert set(simulators(plan, Kept(tmp_path), {})) == {"LENS_HYPERLIQUID_URL", "LENS_SANDBOX_LLM_URL"}
    assert set(simulators(plan, Kept(tmp_path), {"LENS_HYPERLIQUID_URL": "http://elsewhere"})) == {"LENS_SANDBOX_LLM_URL"}


def test_outside_the_sandbox_market_no_simulator_and_no_demo_key_is_made(tmp_path: Path) -> None:
    assert simulators(read_plan({"LENS_MARKET": "hyperliquid"}), Kept(tmp_path), {}) == {}
    said = summary(
        {"http": "http://h:1", "ws": ["ws://h:2"], "market": "hyperliquid", "admin": None, "api_key": None}, Path("d"), "ready"
    )
    assert "create_api_key" in said
    assert "Pages      http://h:1/\n" in said
    assert "None" not in said
