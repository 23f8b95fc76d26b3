"""What the processes of a running stack have cost: CPU seconds and proportional memory, from /proc, by process name."""

import os
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """CPU seconds spent so far and memory held now (PSS, MB)."""

    cpu_s: float
    pss_mb: float


def cost(leader: int) -> Cost:
    """The cost of a process and all that descend from it (PostgreSQL's backends leave their group)."""
    members = [Path(f"/proc/{pid}") for pid in _family(leader)]
    return Cost(sum(map(_cpu, members)), sum(map(_pss, members)))


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
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)
