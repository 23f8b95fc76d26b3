"""The stream's description: as committed, whole, sound as JSON Schema, and one that would notice."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml
from django.core.management import call_command
from jsonschema import Draft202012Validator

from publishing.asyncapi import HEARD, SAID, document
from publishing.messages import Pong
from tests.described import FILE, checked, described


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (inner for name, inner in value.items() if name == "$ref")
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_the_committed_file_is_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("describe_stream")
    assert capsys.readouterr().out.rstrip() == FILE.read_text().rstrip(), "manage.py describe_stream --file docs/asyncapi.yaml"


def test_every_reference_leads_somewhere() -> None:
    whole = yaml.safe_load(yaml.safe_dump(document()))
    for reference in set(references(whole)):
        place = whole
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
        assert place


def test_every_message_belongs_to_an_operation_and_to_the_channel() -> None:
    whole = described()
    channel = whole["channels"]["decisions"]["messages"]
    spoken = [each["$ref"] for operation in whole["operations"].values() for each in operation["messages"]]
    assert sorted(spoken) == sorted(f"#/channels/decisions/messages/{name}" for name in channel)
    assert set(channel) == set(whole["components"]["messages"]) == {kind.__name__ for kind in (*SAID, *HEARD)}


def test_every_payload_is_sound_json_schema() -> None:
    for schema in described()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("frame", [{"type": "pong", "extra": 1}, {"type": "pong", "id": 1.5}, {"type": "heartbeat", "head_seq": 1}])
def test_a_frame_that_is_otherwise_is_noticed(frame: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        checked(frame)


def test_what_is_left_out_is_allowed_to_be() -> None:
    assert checked({"type": "pong"}) == {"type": "pong"}
    assert Pong().text() == '{"type":"pong"}'
