"""What a soak looks at every few seconds, kept as a CSV file: `at_s,process,figure,value`, a row for each figure that was there."""

import csv
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import redis

from bench.meter import cost, handles
from tests.faults.cells import QUEUES
from tests.faults.drawing import Lines
from tests.stack import Lens

PROCESSES = ("web-0", "ws-0", "ws-1", "worker-evaluate", "worker-core", "webhooks", "beat", "redis", "postgres")
EVERY_S = 5.0
_OLDEST = "SELECT extract(epoch FROM now() - min(received_at)) FROM signals_signal WHERE next_attempt_at IS NOT NULL"
# What a stack under faults answers with; a figure that cannot be had now is left out.
_AWAY = (psycopg.Error, redis.RedisError)


@dataclass(frozen=True)
class Sample:
    """One figure of one process (or queue), `at_s` seconds after the beginning."""

    at_s: float
    process: str
    figure: str
    value: float


class Sampler(threading.Thread):
    """`with Sampler(lens, file): …` writes until it is left."""

    def __init__(self, lens: Lens, file: Path, every_s: float = EVERY_S) -> None:
        super().__init__(daemon=True)
        self.lens, self.file, self.every_s = lens, file, every_s
        self.began = time.monotonic()
        self._left = threading.Event()

    def __enter__(self) -> "Sampler":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self.join()

    @property
    def at_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def run(self) -> None:
        with self.file.open("w", newline="") as opened:
            table = csv.writer(opened)
            table.writerow(field.name for field in fields(Sample))
            while True:
                at_s = self.at_s
                table.writerows(astuple(Sample(round(at_s, 1), *found)) for found in self._seen())
                opened.flush()
                if self._left.wait(max(self.every_s - (self.at_s - at_s), 0)):
                    return

    def _seen(self) -> Iterator[tuple[str, str, float]]:
        """Process, figure and value of everything that can be seen now."""
        ports = {"database": _port(self.lens, "database"), "broker": _port(self.lens, "redis")}
        for name in PROCESSES:
            if pid := self.lens.stack.process(name).pid:
                held = handles(pid, ports.values())
                yield name, "memory", round(cost(pid).pss_mb, 1)
                yield name, "handles", held.files
                for server, port in ports.items():
                    yield name, server, held.connections[port]
        yield from _queues(self.lens)


def _port(lens: Lens, server: str) -> int:
    return urlsplit(str(lens.facts[server])).port or 0


def _queues(lens: Lens) -> Iterator[tuple[str, str, float]]:
    with suppress(*_AWAY), redis.Redis.from_url(lens.facts["redis"], socket_timeout=1, socket_connect_timeout=1) as broker:
        for queue in QUEUES:
            yield queue, "waiting", int(broker.llen(queue))
    with (
        suppress(*_AWAY),
        psycopg.connect(lens.facts["database"], connect_timeout=2, options="-c statement_timeout=1000") as database,
    ):
        (oldest,) = database.execute(_OLDEST).fetchone() or (None,)
        yield "oldest unfinished signal", "lag", round(float(oldest or 0), 2)


def read(file: Path) -> list[Sample]:
    """What a sampler wrote; a last line that a crash cut short is left out."""
    with file.open(newline="") as opened:
        return [
            Sample(float(row["at_s"]), row["process"], row["figure"], float(row["value"]))
            for row in csv.DictReader(opened)
            if _whole(row)
        ]


def _whole(row: dict[str, Any]) -> bool:
    return bool(row["value"])


def lines(samples: list[Sample], figure: str) -> Lines:
    """One figure as a line per process, in the order in which they were first seen."""
    found: Lines = {}
    for sample in samples:
        if sample.figure == figure:
            found.setdefault(sample.process, []).append((sample.at_s, sample.value))
    return found
