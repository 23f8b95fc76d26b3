"""One definition of an answer: what models are shown, and that every vendor in strict mode would take it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.canonical import canonical, digest
from evaluation.ports import Limits
from evaluation.prompting import render
from evaluation.schemas import FALLBACK, WORDS, Answer, schema_hash, wire_schema
from tests.evaluation.cases import payload
from tests.evaluation.conftest import Simulator
from tests.evaluation.speakers import RUNGS, SPEAKERS, speaker

GOLDEN = Path(__file__).parent / "golden"

BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems", "pattern"}


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for member in node.values():
            yield from nodes(member)
    elif isinstance(node, list):
        for member in node:
            yield from nodes(member)


@pytest.mark.parametrize("event_type", list(WORDS))
def test_every_object_is_closed_and_all_its_members_required(event_type: str) -> None:
    objects = [node for node in nodes(wire_schema(event_type)) if "properties" in node and node.get("type") == "object"]
    assert len(objects) == 4
    for node in objects:
        assert node["additionalProperties"] is False
        assert node["required"] == list(node["properties"])


@pytest.mark.parametrize("event_type", list(WORDS))
def test_no_bound_reaches_the_vendor(event_type: str) -> None:
    assert not [node for node in nodes(wire_schema(event_type)) if BOUNDS & node.keys() and "properties" not in node]


@pytest.mark.parametrize("event_type", list(WORDS))
def test_evidence_comes_before_the_verdict_and_only_legal_words_are_offered(event_type: str) -> None:
    properties = wire_schema(event_type)["properties"]
    assert list(properties)[:4] == ["evidence_for", "evidence_against", "decision", "confidence"]
    assert properties["decision"]["enum"] == list(WORDS[event_type])


def test_the_words_of_all_events_are_the_words_of_an_answer() -> None:
    stated = Answer.model_json_schema()["properties"]["decision"]["enum"]
    assert sorted(stated) == sorted(word for words in WORDS.values() for word in words)
    assert all(FALLBACK[event_type] in words for event_type, words in WORDS.items())


def test_the_schema_is_the_one_that_was_released() -> None:
    assert {event_type: schema_hash(event_type) for event_type in WORDS} == {
        "OPEN_SIGNAL": "069a138d49404169e6eab2c8966c68001363a177340c3be7786b16feff0dc556",
        "CLOSE_SIGNAL": "948d21bf9501160b5f4f66632ff62ae6bf5c0dd9c1e8e484fff60455a82d5753",
    }


# How each wire holds an answer to its shape. What is asked of a vendor must not change by accident: a difference is a decision,
# made by deleting the file and running the test once.
FORMS = {
    "openai": ("response_format",),
    "openai-responses": ("text",),
    "google": ("responseMimeType", "responseJsonSchema", "responseSchema"),
    "anthropic": ("output_config", "tools", "tool_choice"),
    "compatible": ("response_format",),
}


@pytest.mark.parametrize("name", list(SPEAKERS))
def test_the_request_is_the_golden_one(simulator: Simulator, name: str) -> None:
    data = payload()
    prompt = render(data, digest(data), "OPEN_SIGNAL", "core_v1")
    sent = {}
    for structured in RUNGS:
        speaker(name, simulator.url, structured=structured).ask(prompt, Limits(5, 1_000))
        body = simulator.prompts()[-1]
        whole = {**body, **body.get("generationConfig", {})}
        sent[structured] = {key: whole[key] for key in FORMS[name] if key in whole}
        spelled_out = canonical(prompt.schema) in json.dumps(body).replace('\\"', '"')
        assert spelled_out == (structured in {"json_object", "prompt_only"})
    golden = GOLDEN / f"{name}.json"
    if not golden.exists():
        golden.write_text(json.dumps(sent, indent=1) + "\n")
        pytest.fail(f"{golden.name} was missing and has been written: look at it, then run again")
    # Compared as text: the order of members is what makes a model give its evidence before its verdict.
    assert json.dumps(sent, indent=1) + "\n" == golden.read_text()


def test_the_golden_requests_are_what_the_vendors_document() -> None:
    forms = {name: json.loads((GOLDEN / f"{name}.json").read_text()) for name in SPEAKERS}
    strict = forms["openai"]["strict_schema"]["response_format"]["json_schema"]
    assert strict["strict"] is True
    assert "strict" not in forms["compatible"]["json_schema"]["response_format"]["json_schema"]
    google = forms["google"]
    # The SDK writes its own schema type in snake case; the service reads both.
    told = {"propertyOrdering": google["strict_schema"]["responseJsonSchema"]}
    told |= {"property_ordering": google["json_schema"]["responseSchema"]}
    for member, schema in told.items():
        assert schema[member][:4] == ["evidence_for", "evidence_against", "decision", "confidence"]
        assert "$ref" not in json.dumps(schema)
    assert "additionalProperties" not in json.dumps(google["json_schema"])
    assert forms["anthropic"]["strict_schema"]["output_config"]["format"]["schema"] == strict["schema"]
    assert forms["anthropic"]["json_schema"]["tool_choice"]["name"] == "answer"
    assert [forms[name]["prompt_only"] for name in SPEAKERS] == [{}] * len(SPEAKERS)
