"""The stream's cost: fan-out to 50, 200 and 1 000 sockets of one process, a burst, a long replay, an idle socket's memory.

python -m bench --fanout
"""

import asyncio
import subprocess
import sys
import time

from bench.crowd import Crowd
from bench.figures import figure
from bench.meter import Cost, cost
from console.load import quantile
from sandbox.stack import Stack

SIZES = (50, 200, 1_000)
RATE, BURST, REPLAY = 10.0, 500, 10_000
SETTLE_S = 3.0
P95_AIM_MS = 1_000.0


def measure(stack: Stack, seconds: float) -> None:
    """Print the table."""
    _publish(stack, 50, 0).wait()
    print("\n── fan-out, one socket process " + "─" * 40)
    asyncio.run(_idle(stack))
    for size in SIZES:
        asyncio.run(_steady(stack, size, seconds))
    asyncio.run(_burst(stack, 200))
    asyncio.run(_replay(stack))


async def _steady(stack: Stack, size: int, seconds: float) -> None:
    crowd, before = await _crowd(stack, size)
    count = round(RATE * seconds)
    _publish(stack, count, RATE)
    await crowd.heard(size, 60)
    crowd.forget()
    before = _ws(stack)
    whole = await crowd.heard(count * size, seconds + 60)
    spent = _ws(stack).cpu_s - before.cpu_s
    waits = sorted(crowd.waits)
    shares = "  ".join(f"p{share * 100:g} {quantile(waits, share) * 1000:6.0f} ms" for share in (0.5, 0.95, 0.99))
    print(
        f"{size:>5} clients, {RATE:g} frames/s   {shares}   CPU {spent / seconds * 100:5.1f} %"
        f"   {spent / max(crowd.count, 1) * 1e6:5.1f} µs a delivery   {'all heard' if whole else 'FRAMES MISSING'}",
        flush=True,
    )
    figure(f"{size} clients, {RATE:g} frames/s: p95", quantile(waits, 0.95) * 1000, "ms", P95_AIM_MS)
    crowd.leave()


async def _burst(stack: Stack, size: int) -> None:
    crowd, before = await _crowd(stack, size)
    began = time.monotonic()
    _publish(stack, BURST, 0)
    whole = await crowd.heard(BURST * size, 120)
    took, spent = time.monotonic() - began, _ws(stack).cpu_s - before.cpu_s
    print(
        f"{size:>5} clients, burst of {BURST}   {crowd.count / spent:7.0f} deliveries per CPU second"
        f"   {crowd.count / took:7.0f} a second with the publisher's start   {'all heard' if whole else 'FRAMES MISSING'}",
        flush=True,
    )
    crowd.leave()


async def _replay(stack: Stack) -> None:
    await asyncio.to_thread(lambda: [one.wait() for one in [_publish(stack, REPLAY // 4, 0) for _ in range(4)]])
    crowd = Crowd()
    before, began = _ws(stack).cpu_s, time.monotonic()
    await crowd.grow(stack.facts["ws"][0], stack.facts["api_key"], 1, since={"seq": 0})
    await crowd.heard(REPLAY, 60)
    took = time.monotonic() - began
    print(f"resume of {crowd.count} frames {took:5.2f} s   {_ws(stack).cpu_s - before:5.2f} CPU s", flush=True)
    crowd.leave()


async def _idle(stack: Stack) -> None:
    """After a first crowd of the same size has gone: what is held is then the sockets', not what the first of them loads."""
    size = SIZES[-1]
    for turn in range(2):
        before = _ws(stack).pss_mb
        crowd, after = await _crowd(stack, size)
        held = (after.pss_mb - before) / size * 1024
        print(f"{size:>5} idle clients   {held:5.1f} KB each{', again' if turn else ''}   PSS {after.pss_mb:6.1f} MB", flush=True)
        crowd.leave()
        await asyncio.sleep(SETTLE_S)


async def _crowd(stack: Stack, size: int) -> tuple[Crowd, Cost]:
    crowd = Crowd()
    await crowd.grow(stack.facts["ws"][0], stack.facts["api_key"], size)
    await asyncio.sleep(SETTLE_S)
    crowd.forget()
    return crowd, _ws(stack)


def _publish(stack: Stack, count: int, rate: float) -> "subprocess.Popen[bytes]":
    argv = [sys.executable, "-m", "bench.publisher", str(count), str(rate)]
    return subprocess.Popen(argv, env=stack.env)


def _ws(stack: Stack) -> Cost:
    pid = stack.process("ws-0").pid
    assert pid is not None
    return cost(pid)
