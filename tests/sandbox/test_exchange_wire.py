"""The wire: shapes as recorded from the venue, and the venue's refusals."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sandbox.exchange import wire
from sandbox.exchange.app import respond
from sandbox.exchange.clock import ClockSetting
from sandbox.exchange.coins import DELISTED_MS
from sandbox.exchange.control import Control
from sandbox.exchange.venue import SimulatedVenue
from sandbox.exchange.wire import Answer

RECORDED = Path(os.environ.get("LENS_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")) / "hyperliquid"
NOW = 1_790_518_345_600
HOUR_MS = 3_600_000
CONTROL = Control(SimulatedVenue())
CONTROL.clock.setting = ClockSetting.model_validate({"frozen_at": "2026-09-27T14:12:25.600Z"})

recordings = pytest.mark.skipif(not RECORDED.is_dir(), reason=f"no recordings at {RECORDED}; set LENS_SHARED_DATA")


def post(body: str | bytes, content_type: str = "application/json") -> Answer:
    return respond(CONTROL, content_type, body if isinstance(body, bytes) else body.encode())[0]


def ask(**request: Any) -> Any:
    answer = post(json.dumps(request))
    assert (answer.status, answer.content_type) == (200, "application/json")
    return json.loads(answer.body)


def shape(value: Any) -> Any:
    """The value with every leaf replaced by its type's name: dictionaries keep their key order, lists their first element."""
    if isinstance(value, dict):
        return [(key, shape(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def recorded(name: str) -> Any:
    return json.loads((RECORDED / name).read_bytes())


@recordings
def test_candles_have_the_recorded_shape() -> None:
    candle = {"coin": "BTC", "interval": "1m", "startTime": NOW - HOUR_MS, "endTime": NOW}
    assert shape(ask(type="candleSnapshot", req=candle)) == shape(recorded("yassi80/candleSnapshot_BTC_1m.json"))


@recordings
def test_universe_and_contexts_have_the_recorded_shape() -> None:
    meta, contexts = ask(type="metaAndAssetCtxs")
    recorded_meta, recorded_contexts = recorded("yassi80/metaAndAssetCtxs.json")
    assert shape(meta) == shape(recorded_meta)
    assert shape(contexts) == shape(recorded_contexts)
    assert [shape(table) for table in meta["marginTables"][1:2]] == [shape(table) for table in recorded_meta["marginTables"][1:2]]
    assert len(meta["universe"]) == len(contexts)
    assert ask(type="meta") == meta


@recordings
def test_predicted_fundings_have_the_recorded_shape_nulls_included() -> None:
    ours = dict(ask(type="predictedFundings"))
    theirs = dict(recorded("yassi80/predictedFundings.json"))
    for coin, venues in theirs.items():
        assert [(name, shape(venue)) for name, venue in ours[coin]] == [(name, shape(venue)) for name, venue in venues]


@recordings
def test_mids_and_funding_history_have_the_recorded_shape() -> None:
    mids = recorded("sdk_cassettes/2023-03-30_allMids_f600c8.response.json")
    assert {type(mid) for mid in ask(type="allMids").values()} == {type(mid) for mid in mids.values()}
    history = ask(type="fundingHistory", coin="BTC", startTime=NOW - 48 * HOUR_MS)
    assert shape(history) == shape(recorded("sdk_cassettes/2023-05-24_fundingHistory_BTC_502162.response.json"))


@recordings
def test_book_and_trades_have_the_shape_of_recorded_frames() -> None:
    frames = [
        json.loads(line) for line in (RECORDED / "ws_probe_2026-09-24/frames.jsonl").read_text().splitlines() if line[-1] == "}"
    ]
    first = {frame["channel"]: frame["data"] for frame in reversed(frames) if "data" in frame}
    assert shape(ask(type="l2Book", coin="BTC")) == shape(first["l2Book"])
    assert shape(ask(type="recentTrades", coin="BTC")) == shape(first["trades"])


def test_a_delisted_coin_stays_listed_with_nothing_behind_it() -> None:
    meta, contexts = ask(type="metaAndAssetCtxs")
    position = [entry["name"] for entry in meta["universe"]].index("MATIC")
    assert meta["universe"][position]["isDelisted"] is True
    assert {key for key, value in contexts[position].items() if value is None} == {"premium", "midPx", "impactPxs"}
    assert "MATIC" not in ask(type="allMids")
    assert "MATIC" not in dict(ask(type="predictedFundings"))
    assert ask(type="l2Book", coin="MATIC")["levels"] == [[], []]
    assert ask(type="recentTrades", coin="MATIC") == []
    history = ask(type="fundingHistory", coin="MATIC", startTime=DELISTED_MS - 3 * HOUR_MS - 1)
    assert [row["time"] // HOUR_MS - DELISTED_MS // HOUR_MS for row in history][:3] == [-3, -2, -1]


def test_funding_history_is_hourly_bounded_and_at_most_five_hundred_long() -> None:
    history = ask(type="fundingHistory", coin="BTC", startTime=NOW - 10 * HOUR_MS, endTime=NOW - 5 * HOUR_MS)
    hours = [row["time"] // HOUR_MS for row in history]
    assert hours == list(range(NOW // HOUR_MS - 9, NOW // HOUR_MS - 4))
    assert all(row["time"] % HOUR_MS < 100 for row in history)
    assert len(ask(type="fundingHistory", coin="BTC", startTime=0)) == 500
    current = dict(ask(type="predictedFundings"))["BTC"][1][1]
    assert current["fundingRate"] == ask(type="metaAndAssetCtxs")[1][0]["funding"]
    assert current["nextFundingTime"] == (NOW // HOUR_MS + 1) * HOUR_MS


def test_recent_trades_are_newest_first_and_not_from_the_future() -> None:
    times = [trade["time"] for trade in ask(type="recentTrades", coin="SOL")]
    assert len(times) == 10
    assert times == sorted(times, reverse=True)
    assert NOW - 1_000 < times[0] <= NOW


CANDLE = {"coin": "BTC", "interval": "1h", "startTime": 0, "endTime": 1}


@pytest.mark.parametrize(
    "request_body",
    [
        {"type": "nosuch"},
        {},
        [],
        "allMids",
        None,
        {"type": 7},
        {"type": "l2Book"},
        {"type": "l2Book", "coin": 1},
        {"type": "l2Book", "coin": None},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 6},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 1},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": "5"},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 4, "mantissa": 2},
        {"type": "l2Book", "coin": "BTC", "mantissa": 1},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 3},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": True},
        {"type": "candleSnapshot", **CANDLE},
        {"type": "candleSnapshot", "req": {**CANDLE, "interval": "7m"}},
        {"type": "candleSnapshot", "req": {**CANDLE, "startTime": "0"}},
        {"type": "candleSnapshot", "req": {**CANDLE, "startTime": 0.5}},
        {"type": "candleSnapshot", "req": {**CANDLE, "startTime": -1}},
        {"type": "candleSnapshot", "req": {**CANDLE, "endTime": 10**30}},
        {"type": "candleSnapshot", "req": {**CANDLE, "startTime": True}},
        {"type": "fundingHistory", "coin": "BTC"},
        {"type": "recentTrades"},
    ],
    ids=json.dumps,
)
def test_a_body_of_the_wrong_shape_is_422_with_the_venues_text(request_body: Any) -> None:
    assert post(json.dumps(request_body)) == Answer(422, b"Failed to deserialize the JSON body into the target type", "text/plain")


@pytest.mark.parametrize("body", [b"", b"{", b"not json", b'{"type": "allMids"', b"\xff\xfe", b"[" * 100_000], ids=range(6))
def test_a_body_that_is_not_json_is_400(body: bytes) -> None:
    assert post(body) == wire.NOT_JSON


def test_a_body_not_announced_as_json_is_415() -> None:
    assert post('{"type": "allMids"}', "text/plain").status == 415


def test_unknown_keys_are_ignored() -> None:
    assert "BTC" in ask(type="allMids", dex="", extra=[1])


@pytest.mark.parametrize("coin", ["NOPE", "btc", "KPEPE", "BTC-PERP", "", "é"])
def test_an_unknown_coin_is_null_for_a_book_and_a_server_error_elsewhere(coin: str) -> None:
    assert post(json.dumps({"type": "l2Book", "coin": coin})) == Answer(200, b"null")
    for request in (
        {"type": "candleSnapshot", "req": {**CANDLE, "coin": coin}},
        {"type": "fundingHistory", "coin": coin, "startTime": 0},
        {"type": "recentTrades", "coin": coin},
    ):
        assert post(json.dumps(request)) == Answer(500, b"null")
