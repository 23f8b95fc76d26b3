"""`docs/performance.md`: each section as the bench printed it, when and on what, its figures beside their aims.

A section that is run again replaces itself; the others stay as they are.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.figures import MARK
from core.clock import now

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
SECTIONS = {
    "ingest": ("Ingest", ["-m", "bench", "--ingest"]),
    "stack": ("End to end", ["-m", "bench"]),
    "evaluation": ("Evaluation", ["-m", "bench", "--evaluation"]),
    "enrichment": ("Enrichment", ["-m", "bench.enrichment"]),
    "fanout": ("Fan-out", ["-m", "bench", "--fanout"]),
    "lists": ("Lists", ["-m", "bench.lists"]),
    "growth": ("Growth", ["-m", "bench.growth"]),
}
HEAD = """# Performance

Written by `make bench`; one section alone by `python -m bench --report --only fanout`. Everything runs on one machine: the product,
PostgreSQL, the broker, the simulated venue and models, and the load itself. Figures are printed and never asserted; an aim is what
they are held against by people. Where the time goes, what was taken away and what the floor is: [Where the time goes](costs.md).
"""


def report(names: Iterable[str]) -> int:
    """Run these sections one after the other and write the page; how many of them failed."""
    failed = 0
    for name in names:
        title, arguments = SECTIONS[name]
        began = time.monotonic()
        done, said = _run(arguments)
        took = f"{now():%Y-%m-%d %H:%M} UTC, {_machine()}, {time.monotonic() - began:.0f} s."
        if done:
            print(f"{title} failed; its section stays as it was.", file=sys.stderr)
            failed += 1
        else:
            _write(title, f"{took}\n\n{_drawn(said)}")
    return failed


def _run(arguments: list[str]) -> tuple[int, list[str]]:
    """The exit code, and what was printed, shown while it comes."""
    said: list[str] = []
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            said.append(line.rstrip())
    return process.returncode, said


def _drawn(said: list[str]) -> str:
    """The figures as a table, the rest as it was printed."""
    figures = [line.removeprefix(MARK).strip() for line in said if line.startswith(MARK)]
    printed = "\n".join(line for line in said if not line.startswith(MARK)).strip("\n")
    table = "\n".join(["| figure | measured | aim |", "|---|---|---|", *(f"| {figure} |" for figure in figures)])
    return f"{table}\n\n```text\n{printed}\n```"


def _write(title: str, text: str) -> None:
    sections = dict(_sections(PAGE.read_text())) if PAGE.exists() else {}
    sections[title] = text
    ordered = [name for name, _ in SECTIONS.values() if name in sections]
    PAGE.write_text("\n".join([HEAD, *(f"## {name}\n\n{sections[name].strip()}\n" for name in ordered)]))


def _sections(page: str) -> Iterator[tuple[str, str]]:
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)[1:]
    yield from zip(parts[::2], parts[1::2], strict=True)


def _machine() -> str:
    """Cores and what they are, as the kernel names them."""
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return f"{os.cpu_count()} cores ({found[1] if found else os.uname().machine})"
