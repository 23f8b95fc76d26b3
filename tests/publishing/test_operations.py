"""What a client may say: both forms, every filter, every refusal. Tables."""

import json
from typing import Any

import pytest

from publishing.messages import Complaint
from publishing.operations import (
    Ack,
    Auth,
    Operation,
    Ping,
    RefusedError,
    Since,
    Subscribe,
    Unsubscribe,
    Wanted,
    parse,
    parse_filter,
)

DECISIONS = parse_filter({"kind": "decision"})

UNDERSTOOD: dict[str, tuple[dict[str, Any], Operation]] = {
    "auth": ({"op": "auth", "key": "lens_a_b"}, Auth(op="auth", key="lens_a_b")),
    "everything": ({"op": "subscribe", "id": 1}, Subscribe(op="subscribe", id=1)),
    "resume": (
        {"op": "subscribe", "since": {"epoch": "e", "seq": 120}},
        Subscribe(op="subscribe", since=Since(epoch="e", seq=120)),
    ),
    "window": ({"op": "subscribe", "window": 64, "consumer": "exec-a"}, Subscribe(op="subscribe", window=64, consumer="exec-a")),
    "unsubscribe": ({"op": "unsubscribe", "id": "a"}, Unsubscribe(op="unsubscribe", id="a")),
    "ping": ({"op": "ping", "id": 7}, Ping(op="ping", id=7)),
    "ack": ({"op": "ack", "seq": 133}, Ack(op="ack", seq=133)),
    "older subscribe": ({"action": "subscribe", "filters": {}}, Subscribe(op="subscribe", filter=DECISIONS)),
    "older subscribe, no filters": ({"action": "subscribe"}, Subscribe(op="subscribe", filter=DECISIONS)),
    "older unsubscribe": ({"action": "unsubscribe"}, Unsubscribe(op="unsubscribe")),
    "older ping": ({"type": "ping"}, Ping(op="ping")),
}


@pytest.mark.parametrize(("message", "operation"), UNDERSTOOD.values(), ids=list(UNDERSTOOD))
def test_both_forms_are_understood(message: dict[str, Any], operation: Operation) -> None:
    assert parse(json.dumps(message)) == operation


FILTERS: dict[str, tuple[dict[str, Any], Wanted]] = {
    "a single string": ({"symbol": "btc-perp"}, parse_filter({"symbol": ["BTC"]})),
    "a list": ({"symbol": ["BTC/USDT", "kPEPE"]}, parse_filter({"symbol": ["BTC", "KPEPE"]})),
    "a star is everything": ({"model": ["*"], "symbol": "*", "kind": ["decision", "*"]}, Wanted()),
    "kinds and events": (
        {"kind": "verdict", "event_type": ["OPEN_SIGNAL"]},
        parse_filter({"kind": ["verdict"], "event_type": ["OPEN_SIGNAL"]}),
    ),
}


@pytest.mark.parametrize(("stated", "wanted"), FILTERS.values(), ids=list(FILTERS))
def test_a_filter_is_read_in_one_spelling(stated: dict[str, Any], wanted: Wanted) -> None:
    operation = parse(json.dumps({"op": "subscribe", "filter": stated}))
    assert isinstance(operation, Subscribe)
    assert operation.filter == wanted


REFUSED: dict[str, tuple[str, str]] = {
    "no JSON": ("{", "bad_json"),
    "not a number of JSON": ('{"op":"ping","id":NaN}', "bad_json"),
    "nested without end": ("[" * 16_000, "bad_json"),
    "an endless number": ('{"op":"ack","seq":' + "9" * 5_000 + "}", "bad_json"),
    "no object": ("[1]", "invalid_op"),
    "no operation": ("{}", "invalid_op"),
    "unknown operation": ('{"op":"dance"}', "invalid_op"),
    "unknown older action": ('{"action":"dance"}', "invalid_op"),
    "operation of another type": ('{"op":["subscribe"]}', "invalid_op"),
    "unknown member": ('{"op":"ping","extra":1}', "invalid_op"),
    "an object as id": ('{"op":"ping","id":{}}', "invalid_op"),
    "negative seq": ('{"op":"subscribe","since":{"epoch":"e","seq":-1}}', "invalid_op"),
    "a seq no table has": ('{"op":"ack","seq":9223372036854775808}', "invalid_op"),
    "a truth for a number": ('{"op":"ack","seq":true}', "invalid_op"),
    "a text for a number": ('{"op":"ack","seq":"1"}', "invalid_op"),
    "window too wide": ('{"op":"subscribe","window":1001}', "invalid_op"),
    "no window at all": ('{"op":"subscribe","window":0}', "invalid_op"),
    "unknown filter": ('{"op":"subscribe","filter":{"colour":"red"}}', "invalid_filter"),
    "unknown older filter": ('{"action":"subscribe","filters":{"colour":"red"}}', "invalid_filter"),
    "no filter": ('{"op":"subscribe","filter":[]}', "invalid_filter"),
    "an older filter that is none": ('{"action":"subscribe","filters":3}', "invalid_filter"),
    "nothing to match": ('{"op":"subscribe","filter":{"symbol":[]}}', "invalid_filter"),
    "a number to match": ('{"op":"subscribe","filter":{"symbol":[1]}}', "invalid_filter"),
    "no symbol": ('{"op":"subscribe","filter":{"symbol":"USDT"}}', "invalid_filter"),
    "unknown event": ('{"op":"subscribe","filter":{"event_type":"OPEN"}}', "invalid_filter"),
    "unknown kind": ('{"op":"subscribe","filter":{"kind":"rumour"}}', "invalid_filter"),
    "half a character for a model": ('{"op":"subscribe","filter":{"model":"\\ud800"}}', "invalid_filter"),
    "a model of nothing": ('{"op":"subscribe","filter":{"model":"\\u0000"}}', "invalid_filter"),
    "half a character for a key": ('{"op":"subscribe","filter":{"\\ud800":"BTC"}}', "invalid_filter"),
    "half a character for a member": ('{"op":"ping","\\ud800":1}', "invalid_op"),
    "half a character for an operation": ('{"op":"\\ud800"}', "invalid_op"),
    "too much to match": (json.dumps({"op": "subscribe", "filter": {"model": [f"m{n}" for n in range(201)]}}), "invalid_filter"),
}


@pytest.mark.parametrize(("text", "code"), REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_acted_on_is_refused_by_code(text: str, code: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        parse(text)
    assert refusal.value.code == code
    assert 0 < len(Complaint(code=refusal.value.code, message=refusal.value.message).text()) < 400
