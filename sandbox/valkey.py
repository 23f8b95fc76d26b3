"""Embedded Valkey (or Redis): append-only file, never evicts, on the loopback, with a generated password."""

import signal
from pathlib import Path

import redis

from sandbox.binaries import redis_server
from sandbox.embedded import Embedded, end_leftover
from sandbox.kept import LOOPBACK, Kept, write_private
from sandbox.process import Process


class Valkey:
    """One server; `prepare()` gives its address and the process to supervise."""

    def __init__(self, data_dir: Path, kept: Kept) -> None:
        self._binary = redis_server()
        self._directory = data_dir / "redis"
        self._configuration = data_dir / "run" / "redis.conf"
        self._kept = kept

    def prepare(self) -> Embedded:
        """Writes its configuration and clears what a killed server left."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        end_leftover(self._directory / "redis.pid", self._directory, signal.SIGTERM)
        port, password = self._kept.port("redis"), self._kept.secret("redis")
        # A file, because anyone may read a command line.
        write_private(self._configuration, _configuration(self._directory, port, password))
        url = f"redis://:{password}@{LOOPBACK}:{port}"
        argv = [str(self._binary), str(self._configuration)]
        return Embedded(url, Process(name="redis", argv=argv, cwd=self._directory, ready=lambda: _answers(url)))


def _configuration(directory: Path, port: int, password: str) -> str:
    lines = [
        f"bind {LOOPBACK}",
        f"port {port}",
        f'dir "{directory}"',
        f'pidfile "{directory}/redis.pid"',
        f"requirepass {password}",
        "daemonize no",
        "maxmemory 512mb",
        "maxmemory-policy noeviction",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
    ]
    return "\n".join(lines) + "\n"


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
        return False
