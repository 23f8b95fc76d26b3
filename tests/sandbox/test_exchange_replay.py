"""Replay: recordings served as they were, moved in time; derivations said to be derivations; nothing else made up."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sandbox.exchange import wire
from sandbox.exchange.replay import ReplayVenue
from sandbox.exchange.rollup import moved, rolled_up
from sandbox.exchange.wire import Answer

RECORDED = Path(os.environ.get("LENS_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")) / "hyperliquid"
NOW = round(datetime(2030, 1, 2, 15, 37, 20, tzinfo=UTC).timestamp() * 1000)
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
Ask = Callable[..., Any]


def put(folder: Path, name: str, payload: Any) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(payload))


def asker(folder: Path, now_ms: int = NOW) -> Ask:
    venue = ReplayVenue.load(folder)

    def ask(**request: Any) -> Any:
        answer = venue.answer(wire.QUERIES.validate_json(json.dumps(request)), now_ms)
        return json.loads(answer.body) if answer.status == 200 else answer

    return ask


def candles(ask: Ask, interval: str, coin: str = "BTC") -> Any:
    return ask(type="candleSnapshot", req={"coin": coin, "interval": interval, "startTime": 0, "endTime": NOW})


def minute(index: int, **changes: Any) -> dict[str, Any]:
    """A recorded one-minute candle, `index` minutes after the epoch."""
    base = {"t": index * MINUTE_MS, "T": (index + 1) * MINUTE_MS - 1, "s": "BTC", "i": "1m"}
    return {**base, "o": "9.0", "c": "9.5", "h": "10.0", "l": "8.5", "v": "0.1", "n": 2, **changes}


@pytest.fixture
def recorded_venue() -> Ask:
    if not RECORDED.is_dir():
        pytest.skip(f"no recordings at {RECORDED}; set LENS_SHARED_DATA")
    return asker(RECORDED)


def recorded(name: str) -> Any:
    return json.loads((RECORDED / name).read_bytes())


def test_recorded_minutes_come_back_ending_now(recorded_venue: Ask) -> None:
    source, served = recorded("yassi80/candleSnapshot_BTC_1m.json"), candles(recorded_venue, "1m")
    untimed = [{key: value for key, value in row.items() if key not in "tT"} for row in served]
    assert untimed == [{key: value for key, value in row.items() if key not in "tT"} for row in source]
    assert served[-1]["t"] <= NOW <= served[-1]["T"]
    assert served[-2]["T"] == NOW // MINUTE_MS * MINUTE_MS - 1


@pytest.mark.parametrize("interval", ["3m", "15m", "30m"])
def test_longer_candles_are_the_recorded_minutes_added_up(recorded_venue: Ask, interval: str) -> None:
    minutes, served = candles(recorded_venue, "1m"), candles(recorded_venue, interval)
    assert len(served) >= 2
    for candle in served:
        parts = [row for row in minutes if candle["t"] <= row["t"] <= candle["T"]]
        assert parts[0]["t"] == candle["t"]
        assert (candle["o"], candle["c"]) == (parts[0]["o"], parts[-1]["c"])
        assert Decimal(candle["h"]) == max(Decimal(row["h"]) for row in parts)
        assert Decimal(candle["v"]) == sum(Decimal(row["v"]) for row in parts)
        assert list(candle) == list(minutes[0])


def test_contexts_mids_and_books_agree_with_the_recording(recorded_venue: Ask) -> None:
    payload = recorded("yassi80/metaAndAssetCtxs.json")
    assert recorded_venue(type="metaAndAssetCtxs") == payload
    assert recorded_venue(type="meta") == payload[0]
    mids = recorded_venue(type="allMids")
    assert mids == {entry["name"]: row["midPx"] for entry, row in zip(*(payload[0]["universe"], payload[1]), strict=True)}
    for coin, mid in mids.items():
        bids, asks = recorded_venue(type="l2Book", coin=coin)["levels"]
        assert Decimal(bids[0]["px"]) < Decimal(mid) < Decimal(asks[0]["px"])
        assert (Decimal(bids[0]["px"]) + Decimal(asks[0]["px"])) / 2 == Decimal(mid)
    coarse = recorded_venue(type="l2Book", coin="BTC", nSigFigs=3)["levels"]
    assert [levels[0]["px"] for levels in coarse] == ["84900.0", "85000.0"]


def test_predicted_fundings_keep_their_rates_and_look_ahead(recorded_venue: Ask) -> None:
    source, served = dict(recorded("yassi80/predictedFundings.json")), dict(recorded_venue(type="predictedFundings"))
    assert list(served) == list(source)
    assert dict(served["HYPE"])["BinPerp"] is None
    hourly, eight_hourly = dict(served["BTC"])["HlPerp"], dict(served["BTC"])["BinPerp"]
    assert hourly["fundingRate"] == dict(source["BTC"])["HlPerp"]["fundingRate"]
    assert hourly["nextFundingTime"] == (NOW // HOUR_MS + 1) * HOUR_MS
    assert eight_hourly["nextFundingTime"] % (8 * HOUR_MS) == 0
    assert 0 < eight_hourly["nextFundingTime"] - NOW <= 8 * HOUR_MS


def test_older_recordings_are_served_where_nothing_contradicts_them(recorded_venue: Ask) -> None:
    book = recorded("sdk_cassettes/2023-05-24_l2Book_DYDX_774cb5.response.json")
    assert recorded_venue(type="l2Book", coin="DYDX") == {**book, "time": NOW}
    history = recorded_venue(type="fundingHistory", coin="BTC", startTime=0)
    source = recorded("sdk_cassettes/2023-05-24_fundingHistory_BTC_502162.response.json")
    assert [row["fundingRate"] for row in history] == [row["fundingRate"] for row in source]
    assert history[-1]["time"] // HOUR_MS == NOW // HOUR_MS


def test_what_cannot_be_derived_is_answered_as_an_unknown_coin(recorded_venue: Ask) -> None:
    assert candles(recorded_venue, "1m", coin="ETH") == Answer(500, b"null")
    assert recorded_venue(type="recentTrades", coin="BTC") == Answer(500, b"null")
    assert recorded_venue(type="fundingHistory", coin="ETH", startTime=0) == Answer(500, b"null")
    assert recorded_venue(type="l2Book", coin="NOPE") is None


@pytest.mark.usefixtures("recorded_venue")
def test_facts_say_how_each_answer_came_about() -> None:
    facts = ReplayVenue.load(RECORDED).facts()
    how = {(fact["type"], fact["coin"], fact["interval"], fact["how"]) for fact in facts}
    assert ("candleSnapshot", "BTC", "1m", "recorded") in how
    assert ("candleSnapshot", "BTC", "1h", "derived") in how
    assert ("l2Book", "BTC", "", "imitated") in how
    assert ("allMids", "", "", "derived") in how
    assert ("allMids", "", "", "set aside") in how


def test_a_plain_folder_is_matched_by_file_name(tmp_path: Path) -> None:
    put(tmp_path, "allMids.json", {"BTC": "9.0"})
    put(tmp_path, "l2Book_kPEPE.json", {"coin": "kPEPE", "time": 1, "levels": [[], []]})
    put(tmp_path, "deep/candleSnapshot_BTC_15m.json", [{**minute(0), "T": 899_999, "i": "15m"}])
    put(tmp_path, "candleSnapshot_BTC_7m.json", [])
    put(tmp_path, "l2Book.json", {"no": "coin"})
    put(tmp_path, "notes.json", {})
    put(tmp_path, "recentTrades_BTC.json", [{"coin": "BTC", "time": 500}, {"coin": "BTC", "time": 100}])
    ask = asker(tmp_path)
    assert ask(type="allMids") == {"BTC": "9.0"}
    assert ask(type="l2Book", coin="kPEPE") == {"coin": "kPEPE", "time": NOW, "levels": [[], []]}
    assert [row["t"] for row in candles(ask, "15m")] == [NOW // 900_000 * 900_000]
    assert [row["time"] for row in ask(type="recentTrades", coin="BTC")] == [NOW, NOW - 400]
    assert ask(type="metaAndAssetCtxs") == Answer(500, b"null")
    assert len(ReplayVenue.load(tmp_path).facts()) == 4


def test_of_two_recordings_of_one_request_the_longer_is_served(tmp_path: Path) -> None:
    asked = {"request": {"body": json.dumps({"type": "fundingHistory", "coin": "BTC", "startTime": 0})}}
    for name, count in (("a", 3), ("b", 5), ("c", 1)):
        put(tmp_path, f"{name}.meta.json", asked)
        put(tmp_path, f"{name}.response.json", [{"coin": "BTC", "time": hour * HOUR_MS} for hour in range(count)])
    assert len(asker(tmp_path)(type="fundingHistory", coin="BTC", startTime=0)) == 5


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "notes.json", {})
    with pytest.raises(ValueError, match="no recordings"):
        ReplayVenue.load(tmp_path)


def test_a_first_candle_whose_beginning_is_missing_is_left_out() -> None:
    rows = [minute(13), minute(14), minute(15, o="1.0", v="0.25"), minute(16, h="12.5", c="3.0", v="1.75")]
    assert rolled_up(rows, "15m") == [
        {**minute(15), "T": 30 * MINUTE_MS - 1, "i": "15m", "o": "1.0", "c": "3.0", "h": "12.5", "v": "2.0", "n": 4}
    ]
    assert rolled_up(rows[:2], "15m") == []
    assert rolled_up([], "15m") == []


def test_moving_keeps_gaps_between_candles() -> None:
    rows = moved([minute(1), minute(5)], "1m", NOW)
    assert rows[1]["t"] - rows[0]["t"] == 4 * MINUTE_MS
    assert rows[1]["t"] == NOW // MINUTE_MS * MINUTE_MS
    assert moved([], "1m", NOW) == []
