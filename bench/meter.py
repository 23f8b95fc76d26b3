"""What the processes of a running stack cost and hold: CPU seconds, proportional memory, file handles, connections. From /proc."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
_ESTABLISHED = "01"
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


@dataclass(frozen=True)
class Cost:
    """CPU seconds spent so far and memory held now (PSS, MB)."""

    cpu_s: float
    pss_mb: float


def cost(leader: int) -> Cost:
    """The cost of a process and all that descend from it (PostgreSQL's backends leave their group)."""
    members = [Path(f"/proc/{pid}") for pid in _family(leader)]
    return Cost(sum(map(_cpu, members)), sum(map(_pss, members)))


@dataclass(frozen=True)
class Handles:
    """Open file handles, and how many of them are connections to (or, at a server, from) each port that was asked for."""

    files: int
    connections: dict[int, int]


def handles(leader: int, ports: Iterable[int]) -> Handles:
    """What a process and all that descend from it hold open now."""
    sockets = dict(_connections(set(ports)))
    held = [link for pid in _family(leader) for link in _links(Path(f"/proc/{pid}/fd"))]
    used = [sockets[link] for link in held if link in sockets]
    return Handles(len(held), {port: used.count(port) for port in ports})


def _connections(ports: set[int]) -> Iterator[tuple[str, int]]:
    """Handle → port of each TCP connection of this machine with one of these ports at either end."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(FileNotFoundError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                ends = {int(end.rpartition(":")[2], 16) for end in fields[1:3]} & ports
                if fields[3] == _ESTABLISHED and ends:
                    yield f"socket:[{fields[9]}]", ends.pop()


def _links(directory: Path) -> Iterator[str]:
    with suppress(*_GONE):
        for handle in directory.iterdir():
            with suppress(*_GONE):
                yield str(handle.readlink())


def _family(leader: int) -> set[int]:
    parents = {int(entry.name): _field(Path(entry.path), 1) for entry in os.scandir("/proc") if entry.name.isdigit()}
    family = {leader}
    while grown := {pid for pid, parent in parents.items() if parent and int(parent) in family} - family:
        family |= grown
    return family


def _field(process: Path, index: int) -> str:
    """A field of /proc/<pid>/stat, counted after the command's closing bracket."""
    try:
        return (process / "stat").read_text().rpartition(") ")[2].split()[index]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _cpu(process: Path) -> float:
    user, system = _field(process, 11), _field(process, 12)
    return (int(user or 0) + int(system or 0)) / TICKS


def _pss(process: Path) -> float:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except _GONE:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)
