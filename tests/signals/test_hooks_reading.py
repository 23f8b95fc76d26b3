"""A hook's message becomes the body of `POST /signals`, or a sentence its author can act on. Nothing here touches a database."""

import json
import logging
import re
import sys
import tarfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory
from django.urls import Resolver404, resolve
from hypothesis import given
from hypothesis import strategies as st

from core.logs import RedactedFormatter, redact
from signals.api import SignalSerializer
from signals.hooks.bodies import UnreadableError, read_body
from signals.hooks.mapping import Mapped, Plan, map_sample
from signals.hooks.rules import GENERIC, TRADINGVIEW, Rules, faults, merged
from signals.hooks.sides import Move, Reading, UnclearError, read_move

RECORDINGS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "webhooks" / "templates.jsonl"
ARRIVED = datetime(2026, 1, 5, 9, 0, 5, tzinfo=UTC)
FILLED = {
    "ticker": "BTCUSDT.P",
    "exchange": "BINANCE",
    "interval": "15",
    "time": "2026-01-05T09:00:00Z",
    "timenow": "2026-01-05T09:00:04Z",
    "close": "60010.5",
    "volume": "123456.7",
    "strategy.order.action": "buy",
    "strategy.order.contracts": "0.0123456789",
    "strategy.order.price": "60011",
    "strategy.order.id": "Long",
    "strategy.position_size": "0.0123456789",
    "strategy.market_position": "long",
    "strategy.market_position_size": "0.0123456789",
    "strategy.prev_market_position": "flat",
    "strategy.prev_market_position_size": "0",
}
ALERT = {
    "ticker": "BTCUSDT.P",
    "action": "buy",
    "market_position": "long",
    "prev_market_position": "flat",
    "price": "60000",
    "contracts": "0.1",
    "timenow": "2026-01-05T09:00:04Z",
}


def plan(rules: Rules = TRADINGVIEW, **changes: Any) -> Plan:
    return Plan("desk_tv", rules, **{"liquidation_distance_pct": Decimal(10), **changes})


def mapped(sample: dict[str, Any], **changes: Any) -> Mapped:
    return map_sample(sample, plan(**changes), ARRIVED)


# ── bodies ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        (b'{"ticker": "BTC", "price": 1.50}', {"ticker": "BTC", "price": Decimal("1.50")}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": Decimal(1)}),
        (b'MESSAGE_START{"a": "b"}MESSAGE_END', {"a": "b"}),
        (b"EXCHANGE=KUCOIN;\nSYMBOL=CRVUSDT;\nSIGNAL=sell;\n", {"EXCHANGE": "KUCOIN", "SYMBOL": "CRVUSDT", "SIGNAL": "sell"}),
        (b"symbol: BTC\r\ntimenow: 2026-01-05T09:00:04Z", {"symbol": "BTC", "timenow": "2026-01-05T09:00:04Z"}),
    ],
)
def test_json_and_pairs_are_read_whatever_they_are_called(raw: bytes, values: dict[str, Any]) -> None:
    assert read_body(raw) == values


@pytest.mark.parametrize(
    ("raw", "hint"),
    [
        (b"", "empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"a": "b"\n "c": 1}', "line 2, column 2: a comma is missing"),
        (b'{"a": 1,}', "a name in double quotes"),
        (b'{"a": buy}', "without double quotes"),
        (b'{"a": "b', "no closing double quote"),
        (b'{"a": 1} {"b": 2}', "more after the closing brace"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": Infinity}', "Infinity is not a JSON number"),
        (b'{"a": 1, "a": 2}', "appears twice"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b'{"a": "\\ud800"}', "half a surrogate pair"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "nested deeper"),
        (b"[1, 2]", "not an object"),
        (b'"buy"', "not an object"),
        (b"buy BTCUSDT at 60000", "neither JSON nor a name with a value"),
        (b"AAPL,buy,150.25,10", "neither JSON nor a name with a value"),
        (b"symbol=BTC\nSymbol=ETH", "given twice"),
        (b"symbol=BTC\x00", "control characters"),
        (b"__import__('os').system('id')", "neither JSON nor a name with a value"),
    ],
)
def test_what_cannot_be_read_is_explained(raw: bytes, hint: str) -> None:
    with pytest.raises(UnreadableError, match=re.escape(hint)):
        read_body(raw)


# ── sides ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("action", "position", "before", "reading", "move"),
    [
        ("buy", "long", "flat", "position", Move("long")),
        ("sell", "short", "flat", "position", Move("short")),
        ("sell", "flat", "long", "position", Move("close_long")),
        ("buy", "flat", "short", "position", Move("close_short")),
        ("sell", "flat", "", "position", Move("close_long")),
        ("", "flat", "short", "position", Move("close_short")),
        ("sell", "short", "long", "position", Move("short", reverses=True)),
        ("buy", "long", "short", "position", Move("long", reverses=True)),
        ("buy", "long", "long", "position", Move("long")),
        ("sell", "long", "long", "position", Move("close_long")),
        ("BUY", "LONG", "", "position", Move("long")),
        ("close", "flat", "long", "position", Move("close_long")),
        ("Exit Long", "", "", "position", Move("close_long")),
        ("close_long", "flat", "long", "position", Move("close_long")),
        ("close_long", "long", "long", "position", Move("close_long")),
        ("short", "", "", "position", Move("short")),
        ("buy", "", "", "both", Move("long")),
        ("sell", "", "", "both", Move("short")),
        ("sell", "", "", "long_only", Move("close_long")),
        ("buy", "", "", "short_only", Move("close_short")),
    ],
)
def test_words_become_a_move(action: str, position: str, before: str, reading: str, move: Move) -> None:
    assert read_move(action, position, before, reading) == move


@pytest.mark.parametrize(
    ("action", "position", "before", "hint"),
    [
        ("buy", "", "", "alone may open or close"),
        ("", "", "", "neither an action"),
        ("", "flat", "", "which side was closed"),
        ("sell", "long", "flat", "disagree"),
        ("long", "short", "", "disagree"),
        ("close_long", "short", "", "disagree"),
        ("hodl", "", "", "is no action"),
        ("close", "", "", "is no action"),
        ("buy", "3", "", "none of long, short, flat"),
        ("buy", "long", "up", "none of long, short, flat"),
    ],
)
def test_unclear_words_are_never_guessed(action: str, position: str, before: str, hint: str) -> None:
    with pytest.raises(UnclearError, match=re.escape(hint)):
        read_move(action, position, before, Reading.POSITION)


# ── mapping ──────────────────────────────────────────────────────────────────


def test_a_tradingview_alert_becomes_a_valid_signal() -> None:
    found = mapped(ALERT)
    assert found.problems == []
    assert (found.fields["event_type"], found.fields["signal_direction"]) == ("OPEN_SIGNAL", "long")
    assert (found.fields["liquidation_price"], found.assumed) == ("54000", ["liquidation_price"])
    assert found.fields["metadata"] == {"assumed": "liquidation_price"}
    shape = SignalSerializer(data=found.fields)
    assert shape.is_valid(), shape.errors
    assert (shape.validated_data["symbol"], shape.validated_data["source"]) == ("BTC", "desk_tv")


def test_the_liquidation_distance_lies_on_the_right_side_and_is_not_needed_for_an_exit() -> None:
    short = mapped({**ALERT, "action": "sell", "market_position": "short"})
    leaving = mapped({**ALERT, "action": "sell", "market_position": "flat", "prev_market_position": "long"})
    assert short.fields["liquidation_price"] == "66000"
    assert (leaving.fields["liquidation_price"], leaving.fields["event_type"], leaving.assumed) == (None, "CLOSE_SIGNAL", [])


def test_a_reversal_is_sized_by_the_new_position_and_digits_beyond_eight_are_cut() -> None:
    turned = {**ALERT, "prev_market_position": "short", "contracts": "0.3", "market_position_size": "0.123456789"}
    assert mapped(turned).fields["size"] == "0.12345678"
    assert mapped({**turned, "prev_market_position": "flat"}).fields["size"] == "0.3"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("1767603604000", "2026-01-05T09:00:04.000Z"), ("1767603604", "2026-01-05T09:00:04.000Z"), ("soon", "soon")],
)
def test_pine_clocks_are_understood(text: str, shown: str) -> None:
    assert mapped({**ALERT, "timenow": text}).fields["ts_utc"] == shown


@pytest.mark.parametrize(
    ("change", "changes", "hints"),
    [
        ({"ticker": ""}, {}, ["symbol: nothing found at ticker"]),
        ({"contracts": ""}, {}, ["size: nothing found", "default size"]),
        ({"timenow": ""}, {}, ["ts_utc: nothing found", "{{timenow}}"]),
        ({}, {"liquidation_distance_pct": None}, ["liquidation_price: nothing found", "liquidation distance"]),
        ({"price": "{{close * 0.98}}"}, {}, ["entry_price: the placeholder {{close * 0.98}} was not filled in"]),
        ({"market_position": "", "prev_market_position": ""}, {}, ["signal_direction: “buy” alone may open or close"]),
        ({"contracts": "", "price": ""}, {}, ["The message has: action, contracts, market_position"]),
    ],
)
def test_each_missing_thing_is_named_with_a_way_out(change: dict[str, Any], changes: dict[str, Any], hints: list[str]) -> None:
    problems = " ".join(mapped({**ALERT, **change}, **changes).problems)
    assert [hint for hint in hints if hint not in problems] == []


def test_defaults_fill_only_what_is_missing_and_are_flagged() -> None:
    bare = {name: value for name, value in ALERT.items() if name not in {"contracts", "timenow"}}
    found = mapped(bare, default_size=Decimal("0.5"), use_arrival_time=True)
    assert (found.fields["size"], found.fields["ts_utc"]) == ("0.5", "2026-01-05T09:00:05.000Z")
    assert found.fields["metadata"]["assumed"] == "size,ts_utc,liquidation_price"
    assert mapped(ALERT, default_size=Decimal(9), use_arrival_time=True).assumed == ["liquidation_price"]


def test_own_rules_take_the_place_of_the_defaults() -> None:
    mapping = {"symbol": "{{exchange}}:{{coin.name}}", "size": ["no.such", "=0.25"], "metadata.why": "reason"}
    found = mapped(
        {**ALERT, "exchange": "BINANCE", "coin": {"NAME": "ETHUSDT"}, "reason": "a\nb"}, rules=merged("tradingview", mapping)
    )
    assert (found.fields["symbol"], found.fields["size"]) == ("BINANCE:ETHUSDT", "0.25")
    assert found.fields["metadata"]["why"] == "a b"


def test_a_name_may_hold_the_dots_of_a_placeholder() -> None:
    dotted = {"strategy.order.action": "buy", "strategy.market_position": "long", "strategy.order.contracts": "2"}
    found = mapped({"ticker": "ETH", "close": "3000", "timenow": "2026-01-05T09:00:04Z", **dotted})
    assert (found.problems, found.fields["size"], found.fields["signal_direction"]) == ([], "2", "long")


def test_the_generic_kind_takes_the_contract_s_own_names() -> None:
    body = {
        "event_type": "OPEN_SIGNAL",
        "symbol": "eth-perp",
        "signal_direction": "short",
        "entry_price": Decimal("3000.5"),
        "size": "1",
        "liquidation_price": "3300",
        "ts_utc": "2026-01-05T09:00:04Z",
        "idempotency_key": "k-1",
    }
    found = mapped(body, rules=GENERIC)
    shape = SignalSerializer(data=found.fields)
    assert shape.is_valid(), (found.problems, shape.errors)
    assert (shape.validated_data["entry_price"], shape.validated_data["idempotency_key"]) == (Decimal("3000.5"), "k-1")


@pytest.mark.parametrize(
    "value", ["1e400", "NaN", "-1", "9" * 40, "0x10", "１２", "1e-99", "'; DROP TABLE signals; --", True, {"$gt": ""}]
)
def test_hostile_values_are_refused_not_computed_with(value: Any) -> None:
    found = mapped({**ALERT, "price": value, "contracts": value})
    assert found.problems or not SignalSerializer(data=found.fields).is_valid()


@pytest.mark.parametrize(
    ("mapping", "fault"),
    [
        ([], "an object"),
        ({"price": "close"}, "no such field"),
        ({"symbol": 3}, "give a path"),
        ({"symbol": []}, "give a path"),
        ({"symbol": ["ok", "a[0]"]}, "give a path"),
        ({"symbol": "x" * 300}, "give a path"),
        ({"metadata.A b": "x"}, "no such field"),
    ],
)
def test_a_mapping_s_faults_are_told_when_it_is_written(mapping: object, fault: str) -> None:
    assert fault in " ".join(faults(mapping))


def test_a_sound_mapping_has_no_faults() -> None:
    assert faults({name: list(rules) for name, rules in TRADINGVIEW.items()}) == []


# ── recordings ───────────────────────────────────────────────────────────────

GOOD_WITH_DISTANCE = {
    "3commas Signal Bot (strategy)",
    "TinkoffBot (JSON wrapped in markers)",
    "signal relay (target position)",
    "SignalBridge",
    'bar + strategy object (widely copied "passphrase" layout)',
    "ESTrend universal",
}
NEED_DEFAULTS = {
    "legkvla/tradingview-webhook-mqtt README",
    "jaikumar88/algo-trading-app (basic)",
    "jaikumar88/algo-trading-app (broken idea: arithmetic in a placeholder is never evaluated)",
    "XFactor bots",
    "noteify receiver",
    "nonce + exchange keys in body",
    "ApeX perps bot",
    "nested strategy object",
    "ICT/SMC indicator alert",
    "PineConnector JSON",
    "OctoBot key=value lines",
}


@pytest.mark.skipif(not RECORDINGS.exists(), reason="the recorded alert templates are not here")
def test_alerts_found_in_the_wild_are_signals_or_explained() -> None:
    good: set[str] = set()
    defaulted: set[str] = set()
    generous = plan(default_size=Decimal("0.1"), use_arrival_time=True, reading=Reading.BOTH)
    for line in RECORDINGS.read_text().splitlines():
        recorded = json.loads(line)
        body = re.sub(r"\{\{([\w.]+)\}\}", lambda slot: FILLED.get(slot[1], slot[0]), recorded["body"]).encode()
        try:
            strict, eased = (map_sample(read_body(body), one, ARRIVED) for one in (plan(), generous))
        except UnreadableError:
            assert recorded["kind"] in {"text", "json-trap"}, recorded["name"]
            continue
        assert strict.problems or SignalSerializer(data=strict.fields).is_valid(), strict.fields
        assert all(re.match(r"[a-z_]+: |The message has: ", problem) for problem in strict.problems)
        (good if not strict.problems else defaulted if not eased.problems else set()).add(recorded["name"])
    assert good == GOOD_WITH_DISTANCE
    assert defaulted == NEED_DEFAULTS


FUZZ = RECORDINGS.parents[1] / "fuzz"
SCALARS = st.none() | st.booleans() | st.text(max_size=60) | st.decimals() | st.integers()
SAMPLES = st.dictionaries(
    st.sampled_from([*ALERT, "order", "strategy", "interval", "exchange", "liquidation_price", "position"]) | st.text(max_size=8),
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2)),
    max_size=8,
)


def judged(body: bytes) -> bool:
    """Whether it would be taken; anything but an answer fails the test."""
    try:
        found = map_sample(read_body(body), plan(default_size=Decimal(1)), ARRIVED)
    except UnreadableError:
        return False
    return not found.problems and SignalSerializer(data=found.fields).is_valid()


@given(SAMPLES)
def test_no_object_whatever_breaks_the_mapping(sample: dict[str, Any]) -> None:
    found = map_sample({**ALERT, **sample}, plan(), ARRIVED)
    assert found.problems or SignalSerializer(data=found.fields).is_valid() in (True, False)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_whatever_break_the_reading(raw: bytes) -> None:
    assert not judged(raw)


@pytest.mark.skipif(not FUZZ.exists(), reason="the corpora are not here")
def test_every_naughty_string_and_every_file_of_the_json_suite_is_answered() -> None:
    for text in json.loads((FUZZ / "blns.json").read_text()):
        for name in ALERT:
            judged(json.dumps({**ALERT, name: text}).encode())
        judged(text.encode("utf-8", "surrogatepass"))
    with tarfile.open(FUZZ / "JSONTestSuite.tar.xz") as suite:
        files = [suite.extractfile(member) for member in suite if member.isfile()]
        assert [file.name for file in files if file and judged(file.read())] == []


# ── logs ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        "Service Unavailable: /api/v1/hooks/tradingview/lenshook_0a1b2c3d_SSSSSSSS",
        "<WSGIRequest: POST '/hooks/generic/SSSSSSSS'>",
        '{"url": "https://x/hooks/tradingview/wrong_SSSSSSSS?a=1"}',
        "lenshook_0a1b2c3d_SSSSSSSS",
        "Authorization: Bearer abc/SSSS+SSSS=",
    ],
)
def test_a_hook_s_secret_is_blotted_out_of_logs(text: str) -> None:
    assert "SSSS" not in redact(text)
    assert redact(redact(text)) == redact(text)


def test_a_finished_line_holds_no_secret_where_the_request_or_the_traceback_had_one() -> None:
    request = RequestFactory().post("/hooks/tradingview/lenshook_0a1b2c3d_SSSSSSSS")
    try:
        resolve(request.path + "/lenshook_0a1b2c3d_SSSSSSSS")
    except Resolver404:
        record = logging.LogRecord("django.request", logging.ERROR, "", 0, "Internal Server Error", (), sys.exc_info())
    record.request = request
    line = RedactedFormatter().format(record)
    assert "SSSS" not in line
    assert json.loads(line)["request"] == "<WSGIRequest: POST '/hooks/tradingview/…'>"
