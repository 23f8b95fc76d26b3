"""What stays the same between two starts on one data directory: its market, its ports and secrets, in one private file."""

import json
import os
import random
import secrets
import socket
from collections.abc import Collection
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"
_KERNEL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


class Kept:
    """The file `kept.json` of a data directory. The caller holds the directory's lock, so there is one writer."""

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / "kept.json"
        self._facts: dict[str, Any] = json.loads(self._file.read_text()) if self._file.exists() else {}

    def port(self, name: str) -> int:
        """The port `name` had last time if it is still free, else a new one."""
        ports = self._facts.setdefault("ports", {})
        if name not in ports or not port_is_free(LOOPBACK, ports[name]):
            self._keep("ports", name, free_port(not_these=ports.values()))
        return int(ports[name])

    def secret(self, name: str) -> str:
        """48 URL-safe characters, generated on first use."""
        known = self._facts.setdefault("secrets", {})
        return str(known[name] if name in known else self._keep("secrets", name, secrets.token_urlsafe(36)))

    @property
    def market(self) -> str | None:
        """The market whose decisions the directory holds; None when it holds none."""
        known: str | None = self._facts.get("data", {}).get("market")
        return known

    def keep_market(self, market: str) -> None:
        """From here on the directory is that market's."""
        if self.market is None:
            self._keep("data", "market", market)

    def _keep(self, group: str, name: str, value: object) -> object:
        self._facts.setdefault(group, {})[name] = value
        write_private(self._file, json.dumps(self._facts, indent=2))
        return value


def write_private(file: Path, text: str) -> None:
    """Replaces the file whole, readable by its owner only from its first byte on."""
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    fresh.replace(file)


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError:
        return False
    return True


def free_port(not_these: Collection[int] = ()) -> int:
    """A loopback port nobody listens on, below the range the kernel takes outgoing ports from.

    Inside that range a client that keeps calling a dead server is sooner or later given the server's own port, is connected
    to itself, and keeps the server from coming back.
    """
    floor = int(_KERNEL_RANGE.read_text().split()[0]) if _KERNEL_RANGE.exists() else 49_152
    candidates = random.SystemRandom().sample(range(10_000, max(floor, 20_000)), 200)
    return next(port for port in candidates if port not in not_these and port_is_free(LOOPBACK, port))
