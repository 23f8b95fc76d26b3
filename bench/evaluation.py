"""The judges' own cost: what Lens adds to a model's latency, how many calls one worker process holds, how large a prompt is.

One simulated model per vendor judges every signal, each through its own SDK; the baseline rests. *Overhead* is the time from the
frozen payload to the decision's frame, less the model's latency: `queue` until a thread took it, `own` from there on. Of `own`,
`line` is what the call took beyond the model's latency (SDK, HTTP, simulator), `store` the time from the settling statement to the
frame, the rest claim, prompt, reading and turns waited for. `prompt` and `reading` (parse, ground, guard) are timed here, on what
was stored.

python -m bench --evaluation
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import httpx2
import psycopg

from bench.figures import figure
from bench.meter import cost
from console.load import drive, quantile, signal_body
from evaluation.facts import read
from evaluation.outcomes import accepted, judged
from evaluation.parsing import Parsed
from evaluation.ports import Reply
from evaluation.prompting import render
from sandbox.plan import ROOT, manage
from sandbox.stack import Stack

VENDORS = {"gpt": ("openai", "/v1"), "gemini": ("google", ""), "claude": ("anthropic", "")}
STEPS = ((20.0, 1.0), (30.0, 1.0), (40.0, 1.0), (20.0, 3.0), (30.0, 3.0))
P95_AIM_MS, IN_FLIGHT_AIM, PSS_AIM_MB = 150.0, 200.0, 300.0
_WAITS = """
SELECT extract(epoch FROM d.claimed_at - s.enriched_at), extract(epoch FROM f.created_at - d.claimed_at),
       (d.model_meta->>'latency_ms')::float / 1000, extract(epoch FROM f.created_at - d.evaluated_at)
  FROM evaluation_decision d
  JOIN signals_signal s ON s.id = d.signal_id
  JOIN publishing_frame f ON f.event_id = s.id AND f.kind = 'decision' AND f.model = d.model
 WHERE d.status = 'ok' AND d.attempts = 0 AND s.received_at >= to_timestamp(%s)
"""
_ANSWERS = """
SELECT e.payload, e.payload_hash, s.event_type, d.prompt_version, c.raw_text, c.finish_reason
  FROM evaluation_decision d
  JOIN signals_signal s ON s.id = d.signal_id
  JOIN enrichment_enrichment e ON e.signal_id = s.id AND e.evaluation = d.evaluation
  JOIN evaluation_modelcall c ON c.decision_id = d.id
 WHERE d.status = 'ok' ORDER BY d.evaluated_at DESC LIMIT 500
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
            parts = _parts([[float(wait) for wait in row] for row in waits], latency)
            _print_quantiles(parts)
            overhead = quantile(parts["overhead"], 0.95) * 1000
            held = cost(_pid(stack)).pss_mb
            step = f"{rate:g} signals/s, models {latency:g} s"
            figure(f"{step}: what Lens adds, p95", overhead, "ms", most=P95_AIM_MS)
            figure(
                f"{step}: calls in flight at most", peak, "", least=IN_FLIGHT_AIM if rate * len(VENDORS) * latency > 200 else None
            )
            figure(f"{step}: worker-evaluate's PSS", held, "MB", most=PSS_AIM_MB)
        _print_thinking(database.execute(_ANSWERS).fetchall())
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


def _parts(rows: list[list[float]], latency: float) -> dict[str, list[float]]:
    """Seconds by what they went to, sorted."""
    parts = {
        "queue": [queue for queue, *_ in rows],
        "own": [own - latency for _, own, *_ in rows],
        "overhead": [queue + own - latency for queue, own, *_ in rows],
        "  line": [call - latency for _, _, call, _ in rows],
        "  store": [store for *_, store in rows],
        "  rest of own": [own - call - store for _, own, call, store in rows],
    }
    return {name: sorted(values) for name, values in parts.items()}


def _print_quantiles(parts: Mapping[str, list[float]]) -> None:
    for name, values in parts.items():
        shares = "  ".join(f"p{share * 100:g} {quantile(values, share) * 1000:8.2f} ms" for share in (0.5, 0.95, 0.99))
        print(f"{name:<13} {shares}")


def _print_thinking(rows: list[Any]) -> None:
    """Building a prompt, and reading an answer, on the processor alone: nobody else runs in this process."""
    print("\n── prompt and answer, on the processor " + "─" * 32)
    prompts = [_timed(partial(render, *row[:4])) for row in rows]
    answers = [_timed(partial(_read, row[0], Reply(row[4], row[5]))) for row in rows]
    parts = {"prompt": sorted(prompts), "reading": sorted(answers)}
    _print_quantiles(parts)
    for name, values in parts.items():
        figure(f"evaluation: {name}, p95", quantile(values, 0.95) * 1000, "ms")


def _read(payload: str, reply: Reply) -> None:
    facts = read(payload)
    result = judged(reply, facts, 1.0)
    if isinstance(result, Parsed):
        accepted(result, facts, repaired=False)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


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
