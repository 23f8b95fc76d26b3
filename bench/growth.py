"""A signal's cost at a thousand stored and at a million: statements, time in PostgreSQL, pages, CPU; how fast old ones go.

Every step is taken in this process, by the product's own code; each of its statements is explained where it stands (`EXPLAIN
(ANALYZE, BUFFERS)`), and the middle one of the rounds counts. `python -m bench --growth`
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Any

from django.apps import apps
from django.db.models import Max
from django.db.models.functions import Now

from bench.enrichment import POOL, Bench, venue
from bench.explained import explained
from bench.figures import figure
from bench.ground import ground
from bench.lists import DAYS, fill
from bench.meter import cost
from console.load import COINS
from core.clock import now

SIZES = (1_000, 1_000_000)
QUIET = {"LENS_LOG_LEVEL": "ERROR"}
ROUNDS, PLAIN, OWED = 15, 150, 100
PRUNE_S = 15.0
GROWTH_AIM, PRUNE_AIM = 1.3, 60.0
Step = tuple[Callable[[], object], Callable[[], object]]  # what is prepared before, and what counts
SIGNAL = ("intake", "enrich", "judge and publish, two models")


def main() -> None:
    """Each size in a process and a database of its own; then both beside each other."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--rows", type=int, help="signals stored: one size alone, its figures as JSON in the last line")
    parser.add_argument("--sizes", type=lambda text: [int(part) for part in text.split(",")], default=list(SIZES))
    options = parser.parse_args()
    if options.rows:
        print(json.dumps(_size(options.rows)))
        return
    found = {}
    for rows in options.sizes:
        done = subprocess.run(
            [sys.executable, "-m", "bench.growth", "--rows", str(rows)], stdout=subprocess.PIPE, text=True, check=True
        )
        *said, figures = done.stdout.splitlines()
        print("\n".join(said), flush=True)
        found[rows] = json.loads(figures)
    _tell(found)


def _size(rows: int) -> dict[str, Any]:
    with venue() as url, ground(LENS_MARKET="sandbox", LENS_HYPERLIQUID_URL=url, DATABASE_POOL_SIZE=POOL, **QUIET) as postgres:
        if not apps.get_model("signals.Signal").objects.exists():
            fill(rows)
        _seat_two()
        signal = Signal(url)
        for _ in range(5):
            signal.whole()
        steps = {name: _explained(*step) for name, step in {**signal.steps(), **_beside()}.items()}
        return {"steps": steps, "cpu": _cpu(signal, postgres), "pruned": _pruned()}


def _seat_two() -> None:
    """Two judges that answer here, without a network: what is measured is what surrounds them."""
    models: Any = apps.get_model("evaluation.EvaluationModel").objects
    models.exclude(name="baseline").update(enabled=False)
    models.update_or_create(name="second", defaults={"vendor": "baseline", "model_id": "baseline"})


class Signal:
    """One signal after the other, by the product's own tasks."""

    def __init__(self, url: str) -> None:
        self._bench = Bench(url)
        self._judging: Any = import_module("publishing.tasks")
        self._made = 0
        self._event = ""

    def steps(self) -> dict[str, Step]:
        """Name → step, in the order in which a signal takes them."""
        return {
            "intake": (_nothing, self._take),
            "enrich": (self._take, self._enrich),
            "judge and publish, two models": (self._ready, self._judge),
        }

    def whole(self) -> None:
        """One from intake to its verdict."""
        self._ready()
        self._judge()

    def _ready(self) -> None:
        self._take()
        self._enrich()

    def _take(self) -> None:
        self._made += 1
        self._event = self._bench.signal("trend_follow_v1", COINS[self._made % len(COINS)])

    def _enrich(self) -> None:
        self._bench.enrich(self._event)

    def _judge(self) -> None:
        for model in ("baseline", "second"):
            self._judging.evaluate(self._event, model)


def _beside() -> dict[str, Step]:
    """What goes on whether or not a signal comes, and what readers ask."""
    stream: Any = import_module("publishing.selectors")
    bitcoin: Any = import_module("publishing.subscriptions").Filter(symbols=frozenset({"BTC"}))
    sweep_once: Any = import_module("lens_project.pipeline").sweep_once
    retention: Any = import_module("console.retention")
    head = apps.get_model("publishing.Frame").objects.aggregate(newest=Max("seq"))["newest"]
    return {
        "sweep, nothing owed": (_settle_all, sweep_once),
        f"sweep, {OWED} owed": (_owe, sweep_once),
        "stream, the newest 100": (_nothing, partial(stream.read, head - 100, 100)),
        "stream, 100 of one coin": (_nothing, partial(stream.read, head - 1_000, 100, bitcoin)),
        "retention, nothing old": (_nothing, lambda: list(retention.signals(retention.expiry()).values_list("pk")[:500])),
    }


def _nothing() -> None:
    pass


def _settle_all() -> None:
    apps.get_model("signals.Signal").objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=None)


def _owe() -> None:
    """As if the messages of the newest signals had been lost before they were enriched."""
    _settle_all()
    signals: Any = apps.get_model("signals.Signal").objects
    newest = signals.order_by("-received_at").values_list("pk", flat=True)[:OWED]
    signals.filter(pk__in=list(newest)).update(status="queued", next_attempt_at=Now() - timedelta(seconds=1))


def _explained(prepare: Callable[[], object], step: Callable[[], object]) -> dict[str, Any]:
    """Statements, milliseconds and pages of the middle round, and the dearest statement of it."""
    rounds = []
    for _ in range(ROUNDS):
        prepare()
        with explained() as cost_:
            step()
        rounds.append(cost_)
    middle = sorted(rounds, key=lambda one: one.ms)[len(rounds) // 2]
    return {"statements": middle.statements, "ms": middle.ms, "pages": middle.pages, "dearest": middle.dearest}


def _cpu(signal: Signal, postgres: int | None) -> dict[str, float]:
    """CPU milliseconds a signal from intake to verdict, unexplained: this process's, and all of PostgreSQL's."""
    servers = cost(postgres).cpu_s if postgres else 0.0
    own = time.process_time()
    for _ in range(PLAIN):
        signal.whole()
    own = time.process_time() - own
    spent = {"Lens and its sender": own, "PostgreSQL": cost(postgres).cpu_s - servers} if postgres else {"Lens and its sender": own}
    return {name: seconds / PLAIN * 1000 for name, seconds in spent.items()}


def _pruned() -> dict[str, float]:
    """Signals a second that retention removes with all that hangs on them, and frames a second that the stream lets go of."""
    retention: Any = import_module("console.retention")
    stream: Any = import_module("publishing.retention")
    before = now() - timedelta(days=DAYS * 2 / 3)
    began = time.perf_counter()
    frames = stream.prune(before)
    freed = time.perf_counter() - began
    began, signals = time.perf_counter(), 0
    for removed in retention.prune("signals", before):
        signals += removed
        if time.perf_counter() - began > PRUNE_S:
            break
    return {"signals": signals / (time.perf_counter() - began), "frames": frames / freed}


def _tell(found: dict[int, dict[str, Any]]) -> None:
    sizes = list(found)
    print("\n── statements, PostgreSQL's ms and pages of 8 kB, by signals stored " + "─" * 20)
    print(f"{'':<32}" + "".join(f"{_number(size):>26}" for size in sizes))
    for name in found[sizes[0]]["steps"]:
        shown = (found[size]["steps"][name] for size in sizes)
        print(f"{name:<32}" + "".join(f"{one['statements']:>8} {one['ms']:>8.2f} {one['pages']:>8}" for one in shown))
    for size in sizes:
        print(f"\n{_number(size)} stored: the dearest statement of each step")
        for name, one in found[size]["steps"].items():
            print(f"{one['dearest'][0]:>8.2f} ms  {name}: {' '.join(one['dearest'][1].split())[:150]}")
    for size in sizes:
        for who, spent in found[size]["cpu"].items():
            figure(f"{_number(size)} stored: CPU a signal, {who}", spent, "ms")
        for what, rate in found[size]["pruned"].items():
            figure(f"{_number(size)} stored: {what} pruned a second", rate, "/s", least=PRUNE_AIM)
    if len(sizes) > 1:
        first, last = (sum(found[size]["steps"][name]["ms"] for name in SIGNAL) for size in (sizes[0], sizes[-1]))
        figure("PostgreSQL's time a signal, the last size against the first", last / first, "×", GROWTH_AIM)


def _number(size: int) -> str:
    return f"{size:,}".replace(",", " ")


if __name__ == "__main__":
    main()
