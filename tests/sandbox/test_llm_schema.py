"""Answers shaped to a schema, and schemas that vendors refuse."""

from typing import Any

import pytest

from sandbox.llm.opinions import form_opinion
from sandbox.llm.payloads import Payload
from sandbox.llm.schema import SchemaError, bounded_problem, conform, strict_problem
from tests.sandbox.llm_rig import Answer, payload

CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("value", "schema", "shaped"),
    [
        pytest.param(
            {"a": 1, "b": 2}, {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]}, {"b": 2}, id="required only"
        ),
        pytest.param({"a": 1}, {"type": "object", "properties": {"a": {"type": "number"}}}, {"a": 1}, id="none required: all"),
        pytest.param(
            {}, {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}, {"n": 0}, id="unknown integer"
        ),
        pytest.param(None, {"type": ["number", "null"]}, None, id="null in a type list"),
        pytest.param(None, {"type": "NUMBER", "nullable": True}, None, id="Gemini's nullable"),
        pytest.param(None, {"any_of": [{"type": "NUMBER"}], "nullable": True}, None, id="Gemini's nullable branches"),
        pytest.param(0.8, {"any_of": [{"type": "NUMBER"}], "nullable": True}, 0.8, id="a value for Gemini's nullable branches"),
        pytest.param(0.62, {"type": "NUMBER"}, 0.62, id="Gemini's type name"),
        pytest.param(None, {"anyOf": [{"type": "object"}, {"type": "null"}]}, None, id="null branch"),
        pytest.param(3, {"anyOf": [{"type": "string"}, {"type": "number"}]}, 3, id="branch by type"),
        pytest.param(3, {"anyOf": [{"type": "null"}, {"type": "string"}]}, "3", id="no fitting branch: the first that is not null"),
        pytest.param("IGNORE", {"type": "string", "enum": ["IGNORE", "HOLD"]}, "IGNORE", id="member"),
        pytest.param("OTHER", {"type": "string", "enum": ["HOLD"]}, "HOLD", id="no member"),
        pytest.param("x", {"const": 1}, 1, id="constant"),
        pytest.param("61.2", {"type": "number"}, 61.2, id="number from text"),
        pytest.param(7.6, {"type": "integer", "maximum": 5}, 5, id="whole and bounded"),
        pytest.param(None, {"type": "string"}, "unspecified", id="missing text"),
        pytest.param(None, {"type": "boolean"}, False, id="missing truth"),
        pytest.param([1, 2, 3], {"type": "array", "items": {"type": "string"}, "maxItems": 2}, ["1", "2"], id="list cut"),
        pytest.param([], {"type": "array", "items": {"type": "integer"}, "minItems": 2}, [0, 0], id="list filled"),
        pytest.param({"x": 1}, {}, {"x": 1}, id="anything goes"),
        pytest.param({"r": 1}, {"$ref": "#/$defs/R", "$defs": {"R": CLOSED}}, {"a": "unspecified"}, id="reference"),
    ],
)
def test_values_are_shaped(value: Any, schema: dict[str, Any], shaped: Any) -> None:
    assert conform(value, schema) == shaped


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"$ref": "#/$defs/None"}, id="dangling reference"),
        pytest.param({"$ref": "#"}, id="endless reference"),
        pytest.param({"type": "object", "properties": ["a"]}, id="properties as a list"),
    ],
)
def test_a_schema_that_cannot_be_followed_is_an_error(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        conform({}, schema)


def test_an_opinion_shaped_to_the_contract_stays_as_it_was() -> None:
    for number in range(50):
        opinion = form_opinion(Payload(payload(f"e{number}"), str(number)), "gpt-x")
        shaped = conform(opinion, Answer.model_json_schema())
        assert shaped == opinion
        Answer.model_validate(shaped)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        pytest.param(CLOSED, None, id="closed"),
        pytest.param({"type": "array"}, "got 'type: \"array\"'", id="root is no object"),
        pytest.param({**CLOSED, "additionalProperties": True}, "'additionalProperties' is required", id="open"),
        pytest.param({**CLOSED, "required": []}, "Missing 'a'", id="optional member"),
        pytest.param(
            {**CLOSED, "properties": {"a": {"type": "array", "items": {"type": "object"}}}},
            "('properties', 'a', 'items')",
            id="deep",
        ),
        pytest.param({**CLOSED, "$defs": {"R": {"type": "object"}}}, "('$defs', 'R')", id="in a definition"),
    ],
)
def test_strict_mode_objects_as_openai_does(schema: dict[str, Any], words: str | None) -> None:
    problem = strict_problem(schema)
    assert problem is None if words is None else problem is not None and words in problem


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        pytest.param(CLOSED, None, id="closed"),
        pytest.param({"type": "object"}, "'additionalProperties' must be explicitly", id="open"),
        pytest.param(
            {**CLOSED, "properties": {"a": {"type": "number", "minimum": 0, "maximum": 1}}}, "minimum, maximum", id="bounds"
        ),
    ],
)
def test_bounds_are_refused_as_anthropic_does(schema: dict[str, Any], words: str | None) -> None:
    problem = bounded_problem(schema)
    assert problem is None if words is None else problem is not None and words in problem
