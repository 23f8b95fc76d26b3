"""The controls, over a socket: every setting and every fault reaches the simulator the way a test would send it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from sandbox.exchange.app import create_app

Client = TestClient[Any, Any]
FROZEN = {"frozen_at": "2026-09-27T14:12:25.600Z"}
NOW = 1_790_518_345_600


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async with TestClient(TestServer(create_app())) as client:
        yield client


async def ask(client: Client, **request: Any) -> Any:
    async with client.post("/info", json=request) as response:
        assert response.status == 200
        return await response.json()


async def put(client: Client, path: str, setting: Any) -> Any:
    async with client.put(f"/_control/{path}", json=setting) as response:
        assert response.status == 200, await response.text()
        return await response.json()


def last_hour(coin: str = "BTC", interval: str = "1m") -> dict[str, Any]:
    return {"type": "candleSnapshot", "req": {"coin": coin, "interval": interval, "startTime": NOW - 3_600_000, "endTime": NOW}}


@pytest.mark.asyncio
async def test_a_frozen_clock_gives_the_same_market_until_it_is_released(client: Client) -> None:
    facts = await put(client, "clock", FROZEN)
    assert facts["now_ms"] == NOW
    first = await ask(client, type="l2Book", coin="BTC")
    await asyncio.sleep(0.15)
    assert await ask(client, type="l2Book", coin="BTC") == first
    assert first["time"] == NOW
    async with client.delete("/_control/clock") as response:
        assert abs((await response.json())["now_ms"] - time.time() * 1000) < 5_000


@pytest.mark.asyncio
async def test_an_offset_moves_the_venues_time(client: Client) -> None:
    await put(client, "clock", {"offset_s": -3600})
    book = await ask(client, type="l2Book", coin="BTC")
    assert abs(book["time"] - (time.time() - 3600) * 1000) < 5_000


@pytest.mark.asyncio
async def test_a_market_shift_moves_the_mid_the_book_and_the_contexts(client: Client) -> None:
    await put(client, "clock", FROZEN)
    before = await ask(client, type="allMids")
    contexts = (await ask(client, type="metaAndAssetCtxs"))[1]
    moves = await put(client, "market", {"coin": "BTC", "shift_bps": 300})
    assert moves == {"BTC": [{"at_ms": NOW, "factor": 1.03}]}
    after = await ask(client, type="allMids")
    assert float(after["BTC"]) == pytest.approx(float(before["BTC"]) * 1.03, rel=1e-4)
    assert after["ETH"] == before["ETH"]
    shifted = (await ask(client, type="metaAndAssetCtxs"))[1]
    assert float(shifted[0]["markPx"]) == pytest.approx(float(contexts[0]["markPx"]) * 1.03, rel=1e-4)
    assert shifted[1] == contexts[1]
    candles = await ask(client, **last_hour())
    assert float(candles[-1]["h"]) / float(candles[-2]["c"]) == pytest.approx(1.03, abs=0.005)
    async with client.delete("/_control/market") as response:
        assert await response.json() == {}
    assert await ask(client, type="allMids") == before


@pytest.mark.asyncio
async def test_latency_delays_every_answer(client: Client) -> None:
    await put(client, "latency", {"seconds": 0.2})
    started = time.monotonic()
    await ask(client, type="meta")
    assert time.monotonic() - started >= 0.2
    async with client.delete("/_control/latency") as response:
        assert await response.json() == {"seconds": 0.0}


@pytest.mark.asyncio
async def test_requests_are_counted_by_endpoint_and_coin(client: Client) -> None:
    for _ in range(2):
        await ask(client, type="l2Book", coin="BTC")
    await ask(client, **last_hour("ETH"))
    await ask(client, type="allMids")
    await client.post("/info", data=b"{", headers={"Content-Type": "application/json"})
    async with client.get("/_control/requests") as response:
        counts = {"allMids": {"": 1}, "candleSnapshot": {"ETH": 1}, "l2Book": {"BTC": 2}, "refused": {"": 1}}
        assert await response.json() == {"total": 5, "by_endpoint": counts}
    async with client.delete("/_control/requests") as response:
        assert await response.json() == {"total": 0, "by_endpoint": {}}


@pytest.mark.asyncio
async def test_health_says_what_is_served_and_when(client: Client) -> None:
    async with client.get("/_control/health") as response:
        facts = await response.json()
    assert (facts["status"], facts["mode"], facts["offset_s"]) == ("ok", "simulated", 0.0)
    async with client.get("/_control/sources") as response:
        assert [fact["how"] for fact in await response.json()] == ["simulated"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "setting"),
    [
        ("clock", {}),
        ("clock", {"offset_s": 1, **FROZEN}),
        ("clock", {"frozen_at": "2026-09-27T14:12:25"}),
        ("market", {"coin": "BTC", "shift_bps": -20_000}),
        ("market", {"coin": "BTC"}),
        ("latency", {"seconds": -1}),
        ("data", {"coin": "BTC", "fault": "nosuch"}),
        ("faults", [{"kind": "nosuch"}]),
    ],
)
async def test_a_setting_that_does_not_fit_is_400(client: Client, path: str, setting: Any) -> None:
    async with client.put(f"/_control/{path}", json=setting) as response:
        assert response.status == 400


@pytest.mark.asyncio
async def test_moving_an_unknown_coin_is_404(client: Client) -> None:
    async with client.put("/_control/market", json={"coin": "NOPE", "shift_bps": 1}) as response:
        assert response.status == 404


@pytest.mark.asyncio
async def test_a_replay_cannot_be_moved(tmp_path: Path) -> None:
    (tmp_path / "allMids.json").write_text(json.dumps({"BTC": "9.0"}))
    async with TestClient(TestServer(create_app(tmp_path))) as client:
        async with client.put("/_control/market", json={"coin": "BTC", "shift_bps": 1}) as response:
            assert response.status == 409
        async with client.get("/_control/health") as response:
            assert (await response.json())["mode"] == "replay"
        async with client.get("/_control/sources") as response:
            assert [fact["source"] for fact in await response.json()] == ["allMids.json"]


def context_of(payload: Any, coin: str = "BTC") -> Any:
    names = [entry["name"] for entry in payload[0]["universe"]]
    return payload[1][names.index(coin)]


BOOK = {"type": "l2Book", "coin": "BTC"}
DAMAGES: list[tuple[str, dict[str, Any], Any]] = [
    ("null_context", {"type": "metaAndAssetCtxs"}, lambda spoilt, _: set(map(str, context_of(spoilt).values())) == {"None"}),
    ("nan_mid", {"type": "metaAndAssetCtxs"}, lambda spoilt, _: context_of(spoilt)["midPx"] == "NaN"),
    ("nan_mid", {"type": "allMids"}, lambda spoilt, healthy: spoilt == {**healthy, "BTC": "NaN", "ETH": "NaN"}),
    ("crossed_book", BOOK, lambda spoilt, _: float(spoilt["levels"][0][0]["px"]) > float(spoilt["levels"][1][0]["px"])),
    ("empty_book", BOOK, lambda spoilt, _: spoilt["levels"] == [[], []]),
    ("one_sided_book", BOOK, lambda spoilt, healthy: spoilt["levels"] == [healthy["levels"][0], []]),
    ("wrong_coin", BOOK, lambda spoilt, healthy: spoilt == {**healthy, "coin": "WRONG"}),
    ("wrong_coin", last_hour(), lambda spoilt, _: {row["s"] for row in spoilt} == {"WRONG"}),
    ("wrong_coin", {"type": "recentTrades", "coin": "BTC"}, lambda spoilt, _: {row["coin"] for row in spoilt} == {"WRONG"}),
    (
        "wrong_coin",
        {"type": "fundingHistory", "coin": "BTC", "startTime": NOW - 10**8},
        lambda spoilt, _: {row["coin"] for row in spoilt} == {"WRONG"},
    ),
    ("candle_gap", last_hour(), lambda spoilt, healthy: (len(spoilt), spoilt[0], spoilt[-1]) == (58, healthy[0], healthy[-1])),
    ("stale_candles", last_hour(), lambda spoilt, healthy: spoilt == healthy[:-3]),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("fault", "request_body", "holds"), DAMAGES, ids=[f"{row[0]} in {row[1]['type']}" for row in DAMAGES])
async def test_spoilt_data_reaches_only_the_coin_named(
    client: Client, fault: str, request_body: dict[str, Any], holds: Any
) -> None:
    await put(client, "clock", FROZEN)
    healthy = await ask(client, **request_body)
    await put(client, "data", {"coin": "ETH", "fault": fault})
    spoilt_elsewhere = await ask(client, **request_body)
    if "coin" in json.dumps(request_body):
        assert spoilt_elsewhere == healthy
    else:
        assert not holds(spoilt_elsewhere, healthy)
    rules = await put(client, "data", {"coin": "BTC", "fault": fault})
    assert len(rules) == 2
    assert holds(await ask(client, **request_body), healthy)
    async with client.delete("/_control/data") as response:
        assert await response.json() == []
    assert await ask(client, **request_body) == healthy


@pytest.mark.asyncio
async def test_spoiling_an_unknown_coin_changes_no_answer(client: Client) -> None:
    await put(client, "data", {"coin": "NOPE", "fault": "crossed_book"})
    await put(client, "data", {"coin": "NOPE", "fault": "null_context"})
    assert await ask(client, type="l2Book", coin="NOPE") is None
    assert None not in [row["markPx"] for row in (await ask(client, type="metaAndAssetCtxs"))[1]]


@pytest.mark.asyncio
async def test_a_scripted_status_hits_the_endpoint_and_coin_it_names(client: Client) -> None:
    rule = {
        "kind": "status",
        "status": 429,
        "headers": {"Retry-After": "1"},
        "match": {"endpoint": "l2Book", "coin": "BTC"},
        "times": 1,
    }
    await put(client, "faults", [rule])
    await ask(client, type="l2Book", coin="ETH")
    async with client.post("/info", json=BOOK) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "1")
    await ask(client, **BOOK)
    async with client.get("/_control/faults") as response:
        assert [(fault["seen"], fault["fired"]) for fault in await response.json()] == [(2, 1)]


@pytest.mark.asyncio
async def test_a_scripted_fault_can_name_a_candle_interval(client: Client) -> None:
    await put(client, "faults", [{"kind": "status", "status": 503, "match": {"interval": "4h"}}])
    await ask(client, **last_hour())
    async with client.post("/info", json=last_hour(interval="4h")) as response:
        assert response.status == 503


@pytest.mark.asyncio
async def test_a_scripted_body_replaces_the_answer(client: Client) -> None:
    await put(client, "faults", [{"kind": "body", "body": "<html>"}])
    async with client.post("/info", json=BOOK) as response:
        assert (response.status, await response.text()) == (200, "<html>")


@pytest.mark.asyncio
async def test_a_scripted_delay_still_answers(client: Client) -> None:
    await put(client, "faults", [{"kind": "delay", "delay_s": 0.2}])
    started = time.monotonic()
    await ask(client, **BOOK)
    assert time.monotonic() - started >= 0.2


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["hang", "drip"])
async def test_an_answer_that_never_completes_runs_into_the_callers_timeout(client: Client, kind: str) -> None:
    await put(client, "faults", [{"kind": kind}])
    with pytest.raises(asyncio.TimeoutError):
        async with client.post("/info", json=BOOK, timeout=aiohttp.ClientTimeout(total=0.3)) as response:
            await response.read()


@pytest.mark.asyncio
@pytest.mark.parametrize(("kind", "error"), [("reset", aiohttp.ServerDisconnectedError), ("truncate", aiohttp.ClientPayloadError)])
async def test_a_cut_connection_is_seen_as_one(client: Client, kind: str, error: type[Exception]) -> None:
    await put(client, "faults", [{"kind": kind}])
    with pytest.raises((error, aiohttp.ClientOSError)):
        async with client.post("/info", json=BOOK) as response:
            await response.read()
    async with client.delete("/_control/faults") as response:
        assert await response.json() == []
    await ask(client, **BOOK)
