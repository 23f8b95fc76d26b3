"""An open-loop load: send times are fixed in advance, every signal is accounted for, latency counts from the planned time.

A sender that waits for answers hides the queue it causes; this one does not wait. Decisions are heard on a real socket.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

import aiohttp
import websockets
from django.conf import settings

from core.clock import iso, now
from core.money import plain

COINS = ("BTC", "ETH", "SOL", "HYPE", "XRP", "DOGE")
PATIENCE_S = 90.0


@dataclass
class Run:
    """One run's ledger: planned, accepted and heard, by event id. Times are seconds of the monotonic clock."""

    planned: int
    accepted: dict[str, float] = field(default_factory=dict)
    acknowledged: list[float] = field(default_factory=list)
    decisions: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, float] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    began: float = 0.0
    last_heard: float = 0.0
    answered: float = 0.0

    @property
    def latencies(self) -> list[float]:
        """Seconds from the planned send time to the verdict's frame."""
        return sorted(self.verdicts[event] - at for event, at in self.accepted.items() if event in self.verdicts)

    @property
    def per_second(self) -> float:
        """Verdicts a second from the first planned send to the last verdict."""
        return len(self.verdicts) / max(self.last_heard - self.began, 1e-9)


def quantile(values: list[float], share: float) -> float:
    """The value below which that share lies; NaN of none."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


async def drive(facts: dict[str, Any], rate: float, seconds: float, patience_s: float = PATIENCE_S) -> Run:
    """Send `rate` signals a second for so long and wait until each has its verdict, or patience ends."""
    run = Run(planned=round(rate * seconds))
    headers = {"X-API-Key": facts["api_key"]}
    async with (
        aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=200)) as http,
        websockets.connect(facts["ws"][0] + "/ws/decisions", additional_headers=headers, max_queue=4096) as socket,
    ):
        await socket.send(json.dumps({"op": "subscribe", "id": 1, "filter": {}}))
        listener = asyncio.create_task(_listen(socket, run))
        mids = asyncio.create_task(current_prices(http, facts))
        prices = await mids
        refresher = asyncio.create_task(_refresh(http, facts, prices))
        run.began = time.monotonic() + 0.5
        url = facts["http"] + "/api/v1/signals"
        bodies = [partial(signal_body, prices, COINS[k % len(COINS)], long=k % 2 == 1) for k in range(run.planned)]
        await asyncio.gather(*(_send(http, url, run, run.began + k / rate, body) for k, body in enumerate(bodies)))
        run.answered = time.monotonic()
        await _settle(run, patience_s)
        for task in (listener, refresher):
            task.cancel()
    return run


async def _send(http: aiohttp.ClientSession, url: str, run: Run, at: float, body: Callable[[], dict[str, Any]]) -> None:
    """At its time and not before; the body is made then, at the price of that moment."""
    await asyncio.sleep(max(at - time.monotonic(), 0))
    async with http.post(url, json=body()) as answer:
        text = await answer.text()
    run.acknowledged.append(time.monotonic() - at)
    if answer.status == 201:
        run.accepted[json.loads(text)["event_id"]] = at
    else:
        run.refused.append(f"{answer.status} {text[:200]}")


async def _listen(socket: websockets.ClientConnection, run: Run) -> None:
    async for text in socket:
        frame = json.loads(text)
        if frame["type"] == "decision":
            run.decisions[frame["event_id"]] = run.decisions.get(frame["event_id"], 0) + 1
        elif frame["type"] == "verdict":
            run.last_heard = run.verdicts[frame["event_id"]] = time.monotonic()
            run.ends[frame["event_id"]] = frame["data"].get("reason") or frame["decision"]


async def _settle(run: Run, patience_s: float) -> None:
    ends = time.monotonic() + patience_s
    while time.monotonic() < ends and any(event not in run.verdicts for event in run.accepted):
        await asyncio.sleep(0.1)


async def current_prices(http: aiohttp.ClientSession, facts: dict[str, Any]) -> dict[str, str]:
    """Every coin's mid, from the venue the stack asks."""
    async with http.post(venue_of(facts) + "/info", json={"type": "allMids"}) as answer:
        mids: dict[str, str] = await answer.json(content_type=None)
    return mids


async def _refresh(http: aiohttp.ClientSession, facts: dict[str, Any], prices: dict[str, str]) -> None:
    while True:
        await asyncio.sleep(1)
        prices.update(await current_prices(http, facts))


def venue_of(facts: dict[str, Any]) -> str:
    """Base URL of the exchange a running stack asks: the simulator it started, or the real one."""
    return str((facts.get("simulators") or {}).get("exchange") or settings.LENS.hyperliquid_url)


def signal_body(prices: dict[str, str], coin: str, *, long: bool, source: str = "load") -> dict[str, Any]:
    """A small signal at the price last heard, its liquidation a tenth away."""
    entry = Decimal(prices[coin])
    liquidation = (entry * (Decimal("0.9") if long else Decimal("1.1"))).quantize(Decimal("0.00000001"))
    return {
        "event_type": "OPEN_SIGNAL",
        "symbol": coin,
        "signal_direction": "long" if long else "short",
        "entry_price": plain(entry),
        "size": "0.1",
        "liquidation_price": plain(liquidation),
        "ts_utc": iso(now()),
        "source": source,
    }
