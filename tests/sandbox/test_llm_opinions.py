"""From prompt to answer, as tables: the payload is found wherever it stands, and the opinion is legal for its event."""

import json
from typing import Any

import pytest

from sandbox.llm.opinions import form_opinion
from sandbox.llm.payloads import Payload, find_payload
from tests.sandbox.llm_rig import Answer, payload, prompt

EVENT = '{"event_id":"e1","event_type":"OPEN_SIGNAL"}'
LEGAL = {"OPEN_SIGNAL": {"FOLLOW_ENTER", "IGNORE"}, "CLOSE_SIGNAL": {"FOLLOW_EXIT", "HOLD", "TIGHTEN_STOP"}}


def opinion(data: dict[str, Any], model: str = "gpt-x") -> dict[str, Any]:
    return form_opinion(Payload(data, json.dumps(data)), model)


@pytest.mark.parametrize(
    ("texts", "event_id"),
    [
        pytest.param([EVENT], "e1", id="bare"),
        pytest.param([prompt("e2")], "e2", id="fenced among words and a stray brace"),
        pytest.param([f"{{ not json {EVENT}"], "e1", id="after an unclosed brace"),
        pytest.param(['{"example": 1} ' + EVENT], "e1", id="after another object"),
        pytest.param([f'{{"payload": {EVENT}, "policy": {{}}}}'], "e1", id="one level down"),
        pytest.param([EVENT + json.dumps(payload("larger"))], "larger", id="the largest of two"),
        pytest.param(["Your answer was not valid: size_pct", EVENT], "e1", id="in the turn before the newest"),
        pytest.param(['{"event_type":"CLOSE_SIGNAL"}'], "-", id="without an id"),
        pytest.param(['{"event_id":null,"event_type":"OPEN_SIGNAL"}'], "-", id="with a null id"),
    ],
)
def test_payload_is_found(texts: list[str], event_id: str) -> None:
    found = find_payload(texts)
    assert found is not None
    assert found.event_id == event_id


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("hello", id="words"),
        pytest.param('{"a": 1}', id="an object that names no event"),
        pytest.param('about "event_id" only', id="the key outside an object"),
        pytest.param('{"event_id": ' * 300, id="never closed"),
        pytest.param('{"event_id":' + "[" * 200_000, id="too deep to read"),
    ],
)
def test_no_payload_is_found(text: str) -> None:
    assert find_payload([text]) is None


@pytest.mark.parametrize("model", ["gpt-x", "gemini-x", "claude-x"])
@pytest.mark.parametrize(
    ("event_type", "direction"),
    [("OPEN_SIGNAL", "long"), ("OPEN_SIGNAL", "short"), ("CLOSE_SIGNAL", "close_long"), ("CLOSE_SIGNAL", "close_short")],
)
def test_opinions_are_legal(model: str, event_type: str, direction: str) -> None:
    seen = set()
    for number in range(200):
        answer = Answer.model_validate(opinion(payload(f"e{number}", event_type, direction), model))
        seen.add(answer.decision)
        assert 0 < answer.confidence < 1
        assert answer.reasons
        assert len(answer.evidence_for) in range(1, 5)
        assert (answer.entry_plan is not None) == (answer.decision == "FOLLOW_ENTER")
        assert (answer.risk_plan is not None) == (answer.decision in {"FOLLOW_ENTER", "TIGHTEN_STOP"})
        assert (answer.size_pct is not None) == (answer.decision == "FOLLOW_ENTER")
        assert answer.size_pct is None or 0 < answer.size_pct <= 12
    assert seen == LEGAL[event_type]


@pytest.mark.parametrize(
    ("direction", "liquidation", "low", "high"),
    [
        pytest.param("long", "80", 97.5, 99.5, id="long, liquidation far"),
        pytest.param("long", "99.9", 99.95, 99.95, id="long, liquidation close: half way"),
        pytest.param("short", "120", 100.5, 102.5, id="short, liquidation far"),
        pytest.param("short", "100.2", 100.1, 100.1, id="short, liquidation close: half way"),
        pytest.param("long", None, 97.5, 99.5, id="long, liquidation unknown"),
        pytest.param("long", "120", 97.5, 99.5, id="long, liquidation on the wrong side is no bound"),
    ],
)
def test_a_fixed_stop_lies_on_the_losing_side_short_of_liquidation(
    direction: str, liquidation: str | None, low: float, high: float
) -> None:
    plans = [
        opinion(payload(f"e{number}", "OPEN_SIGNAL", direction) | {"liquidation_price": liquidation})["risk_plan"]
        for number in range(200)
    ]
    stops = [plan["stop_level"] for plan in plans if plan and plan["stop_method"] == "fixed"]
    assert stops
    assert all(low <= stop <= high for stop in stops)


@pytest.mark.parametrize("price", [None, "", "abc", "NaN", "Infinity", True, 0, "-5", [1]])
def test_without_a_price_no_stop_level_is_invented(price: object) -> None:
    for number in range(100):
        plan = opinion({"event_id": f"e{number}", "event_type": "OPEN_SIGNAL", "signal_direction": "long", "entry_price": price})[
            "risk_plan"
        ]
        assert plan is None or (plan["stop_level"] is None and plan["stop_method"] != "fixed")


def test_evidence_cites_fields_that_are_there() -> None:
    data = payload()
    for number in range(50):
        answer = opinion({**data, "event_id": f"e{number}"})
        for item in answer["evidence_for"] + answer["evidence_against"]:
            found: Any = data
            for step in item["field"].split("."):
                found = found[step]
            assert found == item["value"]


def test_the_same_prompt_gets_the_same_answer_and_models_differ() -> None:
    answers = {model: [opinion(payload(f"e{number}"), model)["decision"] for number in range(40)] for model in ("a", "b")}
    assert answers["a"] == [opinion(payload(f"e{number}"), "a")["decision"] for number in range(40)]
    assert answers["a"] != answers["b"]


@pytest.mark.parametrize("odd", ['"\\ud800"', "1e999", "[1, {}]", "true", '{"deep": {"deeper": {"n": 1}}}', "null"])
def test_odd_fields_still_get_a_legal_answer(odd: str) -> None:
    for number in range(20):
        found = find_payload([f'{{"event_id":"e{number}","event_type":"OPEN_SIGNAL","market":{odd},"entry_price":{odd}}}'])
        assert found is not None
        answer = form_opinion(found, "gpt-x")
        Answer.model_validate_json(json.dumps(answer, allow_nan=False))


def test_without_a_payload_the_answer_is_ignore() -> None:
    answer = Answer.model_validate(form_opinion(None, "gpt-x"))
    assert (answer.decision, answer.reasons) == ("IGNORE", ["no_payload"])


def test_the_direction_speaks_when_the_event_type_is_missing() -> None:
    decisions = {opinion({"event_id": f"e{number}", "signal_direction": "close_long"})["decision"] for number in range(60)}
    assert decisions == LEGAL["CLOSE_SIGNAL"]
