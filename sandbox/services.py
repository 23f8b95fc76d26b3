"""Embedded PostgreSQL and Valkey, unless `DATABASE_URL` and `REDIS_URL` say where real ones are.

    with Servers(data_dir) as servers:
        servers.database_url, servers.redis_url

`python -m sandbox.services --data-dir DIR` does the same for a shell: prints both as one line of JSON and serves until Ctrl-C
or SIGTERM. Data, ports and passwords are kept in the directory between two starts.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sandbox.binaries import MissingServerError
from sandbox.kept import Kept
from sandbox.lock import AlreadyRunningError
from sandbox.postgres import ClusterError, Postgres
from sandbox.process import Process
from sandbox.supervisor import HaltedError, StartError, Supervisor
from sandbox.valkey import Valkey

TROUBLE = (MissingServerError, ClusterError, StartError, AlreadyRunningError, PermissionError)


@dataclass(frozen=True)
class Addresses:
    """Where the servers answer, and the processes to supervise for it (none when both are given)."""

    database_url: str
    redis_url: str
    processes: tuple[Process, ...]


def prepare(data_dir: Path, kept: Kept, environ: Mapping[str, str]) -> Addresses:
    """Decides for each server: given, or embedded. Raises MissingServerError, ClusterError."""
    database_url, redis_url = environ.get("DATABASE_URL"), environ.get("REDIS_URL")
    processes = []
    if not database_url:
        postgres = Postgres(data_dir, kept).prepare()
        database_url = postgres.url
        processes.append(postgres.process)
    if not redis_url:
        valkey = Valkey(data_dir, kept).prepare()
        redis_url = valkey.url
        processes.append(valkey.process)
    return Addresses(database_url, redis_url, tuple(processes))


class Servers:
    """The two servers as a context. `environ` defaults to the process's own."""

    database_url: str
    redis_url: str

    def __init__(self, data_dir: Path, environ: Mapping[str, str] | None = None) -> None:
        self._data_dir = data_dir.resolve()
        self._environ = os.environ if environ is None else environ
        self.supervisor = Supervisor(self._data_dir)

    def __enter__(self) -> Self:
        """Returns when both answer. Raises one of TROUBLE, or HaltedError, with nothing left running."""
        with ExitStack() as if_it_fails:
            if_it_fails.enter_context(self.supervisor)
            found = prepare(self._data_dir, Kept(self._data_dir), self._environ)
            self.supervisor.start(*found.processes)
            if_it_fails.pop_all()
        self.database_url, self.redis_url = found.database_url, found.redis_url
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor.stop()


def main(arguments: list[str]) -> int:
    """The exit code of `python -m sandbox.services`."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.services", description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    servers = Servers(parser.parse_args(arguments).data_dir)
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda *_: servers.supervisor.halt())
    try:
        with servers:
            print(json.dumps({"database": servers.database_url, "redis": servers.redis_url}), flush=True)
            servers.supervisor.halted.wait()
    except HaltedError:
        return 0
    except TROUBLE as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
