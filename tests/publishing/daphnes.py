"""Real socket servers over this run's database and Redis, as processes of their own."""

import os
import signal as signals_of_the_system
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
LIMITS = ["--websocket-max-message-size", "16384", "--websocket-max-frame-size", "16384", "lens_project.asgi:application"]


class Server:
    """A daphne of its own on a free port."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.http = f"http://127.0.0.1:{port}"
        self.url = f"ws://127.0.0.1:{port}/ws/decisions"

    def stop(self) -> None:
        self.process.send_signal(signals_of_the_system.SIGTERM)
        self.process.wait(timeout=20)


@contextmanager
def server(**settings: str) -> Iterator[Server]:
    """Started on this run's test database; clients may connect at once, for the socket already listens."""
    there = urlsplit(os.environ["DATABASE_URL"])._replace(path="/" + connection.settings_dict["NAME"])
    environ = {**os.environ, "DATABASE_URL": urlunsplit(there), "DJANGO_SETTINGS_MODULE": "lens_project.settings.test"} | settings
    with socket.create_server(("127.0.0.1", 0)) as listening:
        descriptor = listening.fileno()
        argv = [sys.executable, "-m", "daphne", "-v", "0", "--fd", str(descriptor), *LIMITS]
        started = Server(
            subprocess.Popen(argv, cwd=ROOT, env=environ, pass_fds=[descriptor], stderr=subprocess.DEVNULL),
            listening.getsockname()[1],
        )
    try:
        yield started
    finally:
        started.stop()
