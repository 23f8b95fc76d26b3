"""`make bench` measures everything and writes docs/performance.md.

python -m bench                 the whole stack under an open-loop load: latency, throughput, CPU and memory by process
python -m bench --rate 30 --seconds 20 --model-latency 1
python -m bench --report        every section, into docs/performance.md
python -m bench --report --only fanout,lists
"""

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from typing import Any

import httpx2

from bench import evaluation, fanout, ingest
from bench.figures import figure
from bench.meter import cost
from bench.report import SECTIONS, report
from console.load import Run, drive, quantile
from sandbox.stack import Stack

OURS = ("web-0", "ws-0", "worker-evaluate", "worker-core", "webhooks", "beat", "postgres", "redis")
THEIRS = ("exchange", "llm")
E2E_AIM_MS, CPU_AIM_S = 6_000.0, 25.0
STANDARD = [(rate, latency) for latency in (0.0, 1.0, 3.0) for rate in (1.0, 10.0, 30.0, 40.0, 50.0, 60.0)]
# At this rate the aims are for what Lens adds to the model's own latency.
CALM_PER_S, MEDIAN_AIM_MS, P99_AIM_MS = 10.0, 40.0, 200.0
# A rate is kept up with while the verdict comes within so long of the model's answer; by latency, the rate to be reached.
KEPT_UP_S = 1.0
SUSTAINED_AIM = {0.0: 75.0, 1.0: 40.0}


# They need no stack; each sets Django up for itself.
ALONE = ("enrichment", "lists", "growth")


def main() -> None:
    """The report, one section that needs no stack, or a stack of its own on free ports under load."""
    options = _parse()
    if options.report:
        sys.exit(report(options.only))
    for name in ALONE:
        if getattr(options, name):
            sys.exit(subprocess.call([sys.executable, "-m", f"bench.{name}"]))
    _with_a_stack(options)


def _with_a_stack(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="lens-bench-") as directory:
        environ = {**os.environ, "LENS_DATA_DIR": directory, "LENS_HTTP_PORT": _free_port(), "LENS_WS_PORT": _free_port()}
        environ["LENS_WS_MAX_CONNECTIONS"] = str(2 * max(fanout.SIZES))
        environ |= {"DJANGO_SETTINGS_MODULE": "bench.bare"} if options.ingest else {}
        with Stack(environ) as stack:
            _warm(stack.facts)
            if options.fanout:
                fanout.measure(stack, options.seconds)
                return
            if options.evaluation:
                steps = [(options.rate, options.model_latency)] if options.rate else evaluation.STEPS
                evaluation.measure(stack, steps, options.seconds)
                return
            if options.ingest:
                prices = httpx2.post(stack.facts["simulators"]["exchange"] + "/info", json={"type": "allMids"}).json()
                ingest.measure(stack.facts, prices, options.seconds)
                ingest.against_bare(stack, prices, options.seconds)
                return
            if options.rate:
                _measure(stack, options.rate, options.model_latency, options.seconds)
                return
            runs = {step: _measure(stack, *step, options.seconds) for step in STANDARD}
            for latency in sorted({latency for _, latency in runs}):
                _knee({rate: run for (rate, models), run in runs.items() if models == latency}, latency)


def _knee(runs: dict[float, Run], latency: float) -> None:
    """How much these models are carried: the highest rate without a backlog, and what comes out when more is offered."""
    name = f"models {_models(latency)}"
    steady = [rate for rate, run in runs.items() if quantile(run.latencies, 0.95) <= latency + KEPT_UP_S]
    figure(f"{name}: highest rate kept up with", max(steady, default=0.0), "signals/s", least=SUSTAINED_AIM.get(latency))
    most = max(runs)
    figure(f"{name}: verdicts when {most:g}/s are offered", runs[most].per_second, "signals/s")


def _models(latency: float) -> str:
    return f"{latency:g} s" if latency else "instant"


def _measure(stack: Stack, rate: float, latency: float, seconds: float) -> Run:
    httpx2.put(stack.facts["simulators"]["llm"] + "/_control/latency", json={"seconds": latency}).raise_for_status()
    before = _costs(stack)
    run = asyncio.run(drive(stack.facts, rate, seconds))
    time.sleep(1)
    _print(run, rate, latency, _spent(before, _costs(stack)))
    return run


def _print(run: Run, rate: float, latency: float, spent: dict[str, tuple[float, float]]) -> None:
    waits, acks = run.latencies, sorted(run.acknowledged)
    lost = len(run.accepted) - len(run.verdicts)
    load = f"{rate:g} signals/s, models {_models(latency)}"
    print(f"\n── {load} " + "─" * 40)
    print(
        f"planned {run.planned}  accepted {len(run.accepted)}  refused {len(run.refused)}  without verdict {lost}", *run.refused[:1]
    )
    print(f"ends: {_tally(list(run.ends.values()))}   decision frames: {sum(run.decisions.values())}")
    print(f"verdicts/s {run.per_second:.1f}")
    for name, values in (("acknowledged", acks), ("end to end", waits)):
        shares = "  ".join(f"p{share * 100:g} {quantile(values, share) * 1000:7.0f} ms" for share in (0.5, 0.95, 0.99))
        print(f"{name:<13} {shares}")
    per_thousand = 1000 / max(len(run.accepted), 1)
    for name, (cpu, pss) in spent.items():
        print(f"  {name:<16} {cpu:7.2f} CPU s  {cpu * per_thousand:7.2f} per 1000   PSS {pss:6.1f} MB")
    ours = [spent[name] for name in OURS if name in spent]
    print(
        f"  {'Lens, all':<16} {sum(c for c, _ in ours):7.2f} CPU s  {sum(c for c, _ in ours) * per_thousand:7.2f} per 1000   "
        f"PSS {sum(p for _, p in ours):6.1f} MB",
        flush=True,
    )
    figure(f"{load}: end to end, p95", quantile(waits, 0.95) * 1000, "ms", E2E_AIM_MS)
    if rate == CALM_PER_S:
        figure(f"{load}: beyond the model, p50", (quantile(waits, 0.5) - latency) * 1000, "ms", MEDIAN_AIM_MS)
        figure(f"{load}: beyond the model, p99", (quantile(waits, 0.99) - latency) * 1000, "ms", P99_AIM_MS)
    figure(f"{load}: CPU per 1 000 signals", sum(c for c, _ in ours) * per_thousand, "s", CPU_AIM_S)


def _costs(stack: Stack) -> dict[str, Any]:
    return {name: cost(pid) for name in (*OURS, *THEIRS) if (pid := stack.process(name).pid)}


def _spent(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[float, float]]:
    return {name: (after[name].cpu_s - before[name].cpu_s, after[name].pss_mb) for name in after if name in before}


def _tally(words: list[str]) -> str:
    return ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words)))


def _warm(facts: dict[str, Any]) -> None:
    """A few signals first: imports, connections and caches are not what is measured."""
    asyncio.run(drive(facts, 5, 4))


def _free_port() -> str:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return str(listener.getsockname()[1])


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rate", type=float, help="signals a second (default: the standard set)")
    parser.add_argument("--ingest", action="store_true", help="the gateway alone")
    parser.add_argument("--fanout", action="store_true", help="the decision stream alone")
    parser.add_argument("--evaluation", action="store_true", help="what Lens adds to its models, and how many calls it holds")
    parser.add_argument("--enrichment", action="store_true", help="freezing the market alone: time, requests, CPU, bytes")
    parser.add_argument("--lists", action="store_true", help="every list and page over a million signals")
    parser.add_argument("--growth", action="store_true", help="what a signal costs at a thousand stored, and at a million")
    parser.add_argument("--report", action="store_true", help="all of these, into docs/performance.md")
    parser.add_argument("--only", type=_sections, default=list(SECTIONS), help=f"for the report: some of {','.join(SECTIONS)}")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--model-latency", type=float, default=0, help="seconds the simulated models take")
    return parser.parse_args()


def _sections(text: str) -> list[str]:
    """Names of sections, separated by commas. Raises ArgumentTypeError for others."""
    names = text.split(",")
    if strangers := set(names) - set(SECTIONS):
        raise argparse.ArgumentTypeError(f"no such section: {', '.join(sorted(strangers))}")
    return names


if __name__ == "__main__":
    main()
