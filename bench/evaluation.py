"""The judges' own cost: what Lens adds to a model's latency, how many calls one worker process holds, how large a prompt is.

One simulated model per vendor judges every signal, each through its own SDK; the baseline rests. *Overhead* is the time from the
frozen payload to the decision's frame, less the model's latency: `queue` until a thread took it, `own` from there on.

python -m bench --evaluation
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import httpx2
import psycopg

from bench.figures import figure
from bench.meter import cost
from console.load import drive, quantile, signal_body
from sandbox.plan import ROOT, manage
from sandbox.stack import Stack

VENDORS = {"gpt": ("openai", "/v1"), "gemini": ("google", ""), "claude": ("anthropic", "")}
STEPS = ((20.0, 1.0), (30.0, 1.0), (20.0, 3.0), (30.0, 3.0))
_WAITS = """
SELECT extract(epoch FROM d.claimed_at - s.enriched_at), extract(epoch FROM f.created_at - d.claimed_at)
  FROM evaluation_decision d
  JOIN signals_signal s ON s.id = d.signal_id
  JOIN publishing_frame f ON f.event_id = s.id AND f.kind = 'decision' AND f.model = d.model
 WHERE d.status = 'ok' AND d.attempts = 0 AND s.received_at >= to_timestamp(%s)
"""
_SIZES = """
SELECT e.profile, d.model, avg(octet_length(e.payload)), avg(c.tokens_in), avg(c.tokens_cached), avg(c.tokens_out), count(*)
  FROM evaluation_modelcall c
  JOIN evaluation_decision d ON d.id = c.decision_id
  JOIN enrichment_enrichment e ON e.signal_id = d.signal_id AND e.evaluation = d.evaluation
 WHERE NOT c.repair AND c.tokens_in IS NOT NULL
 GROUP BY 1, 2 ORDER BY 1, 2
"""


def measure(stack: Stack, steps: Sequence[tuple[float, float]], seconds: float) -> None:
    """Register the judges, drive the steps (signals a second, seconds a model thinks), print."""
    _seat(stack)
    llm = stack.facts["simulators"]["llm"]
    asyncio.run(drive(stack.facts, 5, 4))
    with psycopg.connect(stack.facts["database"], autocommit=True) as database:
        for rate, latency in steps:
            httpx2.put(f"{llm}/_control/latency", json={"seconds": latency}).raise_for_status()
            httpx2.delete(f"{llm}/_control/calls").raise_for_status()
            began = time.time()
            run = asyncio.run(drive(stack.facts, rate, seconds))
            waits = database.execute(_WAITS, [began]).fetchall()
            peak = httpx2.get(f"{llm}/_control/calls").json()["in_flight_peak"]
            print(f"\n── {rate:g} signals/s × {len(VENDORS)} models that think {latency:g} s " + "─" * 30)
            print(
                f"accepted {len(run.accepted)} of {run.planned}, with a verdict {len(run.verdicts)}, frames measured {len(waits)}"
            )
            parts = [(float(queue), float(own) - latency) for queue, own in waits]
            _print_waits(parts)
            overhead = quantile(sorted(map(sum, parts)), 0.95) * 1000
            figure(f"{rate:g} signals/s, models {latency:g} s: what Lens adds, p95", overhead, "ms")
            print(f"in flight at most {peak}   worker-evaluate PSS {cost(_pid(stack)).pss_mb:.1f} MB", flush=True)
        httpx2.put(f"{llm}/_control/latency", json={"seconds": 0}).raise_for_status()
        _send_every_profile(stack.facts)
        _print_sizes(database.execute(_SIZES).fetchall())


def _seat(stack: Stack) -> None:
    llm = stack.facts["simulators"]["llm"]
    for name, (vendor, path) in VENDORS.items():
        add = f"model add {name} --vendor {vendor} --model-id {name} --base-url {llm}{path} --key-env LENS_SANDBOX_API_KEY"
        stack.supervisor.run(manage(f"add-{name}", add, stack.env))
    for name in ("baseline", "chatgpt"):
        stack.supervisor.run(manage(f"rest-{name}", f"model disable {name}", stack.env))


def _pid(stack: Stack) -> int:
    pid = stack.process("worker-evaluate").pid
    assert pid is not None
    return pid


def _print_waits(waits: list[tuple[float, float]]) -> None:
    parts = {"queue": [queue for queue, _ in waits], "own": [own for _, own in waits], "overhead": [sum(pair) for pair in waits]}
    for name, values in parts.items():
        values.sort()
        shares = "  ".join(f"p{share * 100:g} {quantile(values, share) * 1000:7.0f} ms" for share in (0.5, 0.95, 0.99))
        print(f"{name:<13} {shares}")


def _send_every_profile(facts: dict[str, Any]) -> None:
    """One signal of each profile, and the time to judge it."""
    prices = httpx2.post(facts["simulators"]["exchange"] + "/info", json={"type": "allMids"}).json()
    for profile in sorted(file.stem for file in (ROOT / "enrichment" / "profiles").glob("*.yaml")):
        body = {**signal_body(prices, "BTC", long=True), "feature_profile": profile}
        httpx2.post(f"{facts['http']}/api/v1/signals", json=body, headers={"X-API-Key": facts["api_key"]}).raise_for_status()
    time.sleep(5)


def _print_sizes(rows: list[Any]) -> None:
    """Tokens are what the simulator bills: four characters each."""
    print("\n── prompts " + "─" * 60)
    for profile, model, payload, tokens_in, cached, tokens_out, count in rows:
        said = f"tokens in {tokens_in:6.0f} (cached {cached or 0:5.0f}) out {tokens_out:4.0f}"
        print(f"{profile:<20} {model:<8} payload {payload:6.0f} bytes   {said}   of {count} calls")
