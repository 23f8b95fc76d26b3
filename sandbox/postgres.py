"""Embedded PostgreSQL: a cluster under the data directory, on the loopback, with a generated password. Nothing durable is off."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from sandbox.binaries import postgres_home
from sandbox.embedded import Embedded, end_leftover
from sandbox.kept import LOOPBACK, Kept, write_private
from sandbox.process import Process
from sandbox.unprivileged import Footing, footing

NAME = "lens"  # of the user and of the database
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "jit": "off",  # compiles for longer than our short queries run
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_duration_statement": "500",
}


class ClusterError(Exception):
    """The cluster cannot be made or used; the message says why."""


class Postgres:
    """One cluster; `prepare()` gives its address and the process to supervise."""

    def __init__(self, data_dir: Path, kept: Kept) -> None:
        self._footing: Footing = footing(postgres_home(), data_dir)
        self._cluster = self._footing.directory / "postgres"
        self._kept = kept
        self._password = kept.secret("postgres")

    def prepare(self) -> Embedded:
        """Makes the cluster on first use and clears what a killed server left. Raises ClusterError."""
        if not self._cluster.exists():
            self._create()
        self._refuse_other_version()
        end_leftover(self._cluster / "postmaster.pid", self._cluster, signal.SIGINT)
        port = self._kept.port("postgres")
        url = f"postgresql://{NAME}:{self._password}@{LOOPBACK}:{port}/{NAME}"
        options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        process = Process(
            name="postgres",
            argv=[*self._command("postgres"), "-D", str(self._cluster), "-p", str(port), *options],
            user=self._footing.user,
            cwd=self._footing.directory,
            ready=lambda: _takes_connections(url),
            stop_signal=signal.SIGINT,  # "fast": rolls back what is open; SIGTERM would wait for every client to leave
            grace=30.0,
            ready_within=60.0,  # a killed server replays its log first
        )
        return Embedded(url, process)

    def _create(self) -> None:
        """Built beside its final name and renamed when whole, so that an interrupted start leaves nothing half-made."""
        fresh = self._cluster.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        password = self._cluster.with_name("postgres.password")
        write_private(password, self._password)
        if self._footing.user is not None:
            os.chown(password, self._footing.user, self._footing.user)
        options = ["--username", NAME, "--pwfile", str(password), "--auth", "scram-sha-256", "--data-checksums"]
        self._call("initdb", "-D", str(fresh), *options, "--encoding", "UTF8", "--no-locale")
        password.unlink()
        self._call("postgres", "--single", "-D", str(fresh), "postgres", text=f"CREATE DATABASE {NAME}\n")
        fresh.rename(self._cluster)

    def _refuse_other_version(self) -> None:
        made_by = (self._cluster / "PG_VERSION").read_text().strip()
        version = self._call("postgres", "--version").split()[2]
        if version.split(".")[0] != made_by:
            raise ClusterError(f"{self._cluster} was made by PostgreSQL {made_by}, this is {version}: dump it or remove it")

    def _command(self, program: str) -> list[str]:
        return [*self._footing.prefix, str(self._footing.home / "bin" / program)]

    def _call(self, program: str, *arguments: str, text: str = "") -> str:
        user = self._footing.user
        called = subprocess.run(
            [*self._command(program), *arguments],
            input=text,
            text=True,
            capture_output=True,
            check=False,
            cwd=self._footing.directory,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
        if called.returncode != 0:
            raise ClusterError(f"{program} failed: {called.stderr.strip() or called.stdout.strip()}")
        return called.stdout


def _takes_connections(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
