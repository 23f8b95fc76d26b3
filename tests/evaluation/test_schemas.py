"""One definition of an answer: what models are shown, and that every vendor in strict mode would take it."""

from collections.abc import Iterator
from typing import Any

import pytest

from evaluation.schemas import FALLBACK, WORDS, Answer, schema_hash, wire_schema

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
