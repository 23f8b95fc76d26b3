"""The gateway alone: how fast signals are acknowledged while everything else is running. `python -m bench --ingest`.

Closed loop for 1, 8 and 32 clients (each sends the next when the last is answered), open loop for 50/s and for a burst.
"""

import asyncio
import time
from itertools import count
from typing import Any

import aiohttp

from bench.figures import figure
from bench.meter import cost
from console.load import COINS, Run, drive, quantile, signal_body
from core.ids import uuid7
from sandbox.stack import Stack

CLIENTS = (1, 8, 32)
GATEWAY, BARE = "/api/v1/signals", "/bare"
BURST_PER_S, BURST_S = 300, 10
STEADY_PER_S, P95_AIM_MS = 50, 70.0


async def closed(
    facts: dict[str, Any], prices: dict[str, str], clients: int, seconds: float, path: str = GATEWAY
) -> tuple[list[float], int]:
    """Seconds per accepted post, sorted, and how many were not accepted."""
    waits: list[float] = []
    refused = count()
    ends = time.monotonic() + seconds
    headers = {"X-API-Key": facts["api_key"]}

    async def client(http: aiohttp.ClientSession, number: int) -> None:
        while time.monotonic() < ends:
            body = {**signal_body(prices, COINS[number % len(COINS)], long=True), "idempotency_key": str(uuid7())}
            began = time.monotonic()
            async with http.post(facts["http"] + path, json=body) as answer:
                await answer.read()
            if answer.status == 201:
                waits.append(time.monotonic() - began)
            else:
                next(refused)

    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=clients)) as http:
        await asyncio.gather(*(client(http, number) for number in range(clients)))
    return sorted(waits), next(refused)


def measure(facts: dict[str, Any], prices: dict[str, str], seconds: float) -> None:
    """Print the table."""
    print("\n── ingest, everything running " + "─" * 40)
    for clients in CLIENTS:
        waits, refused = asyncio.run(closed(facts, prices, clients, seconds))
        print(f"{clients:>3} clients   {len(waits) / seconds:6.1f}/s   {_quantiles(waits)}   not accepted {refused}", flush=True)
    for rate, span in ((STEADY_PER_S, seconds), (BURST_PER_S, BURST_S)):
        run: Run = asyncio.run(drive(facts, rate, span, patience_s=0))
        taken = len(run.accepted) / max(run.answered - run.began, 1e-9)
        print(
            f"{rate:>3}/s offered {taken:6.1f}/s   {_quantiles(sorted(run.acknowledged))}   not accepted {len(run.refused)}",
            flush=True,
        )
        aim = P95_AIM_MS if rate == STEADY_PER_S else None
        figure(f"{rate}/s offered: acknowledged, p95", quantile(sorted(run.acknowledged), 0.95) * 1000, "ms", aim)


def against_bare(stack: Stack, prices: dict[str, str], seconds: float) -> None:
    """What a signal costs at the gateway beside a bare view that inserts one row, with every worker down: web and PostgreSQL."""
    for name in ("worker-evaluate", "worker-core", "beat"):
        stack.supervisor.hold(name)
    for path in (BARE, GATEWAY):
        before = _spent(stack)
        waits, _ = asyncio.run(closed(stack.facts, prices, 8, seconds, path))
        spent = (_spent(stack) - before) / max(len(waits), 1) * 1000
        print(f"{path:<16} {len(waits) / seconds:6.1f}/s   {_quantiles(waits)}   {spent:5.2f} CPU ms a request", flush=True)
        figure(f"`{path}`: CPU a request, web and PostgreSQL", spent, "ms")


def _spent(stack: Stack) -> float:
    return sum(cost(pid).cpu_s for name in ("web-0", "postgres") if (pid := stack.process(name).pid))


def _quantiles(waits: list[float]) -> str:
    return "  ".join(f"p{share * 100:g} {quantile(waits, share) * 1000:6.1f} ms" for share in (0.5, 0.95, 0.99))
