"""Holds what the socket says to docs/asyncapi.yaml: every frame any test hears goes through here."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

FILE = Path(__file__).resolve().parents[1] / "docs" / "asyncapi.yaml"


@cache
def described() -> dict[str, Any]:
    """The committed description."""
    return dict(yaml.safe_load(FILE.read_text()))


@cache
def _checkers() -> dict[str, Draft202012Validator]:
    """By the frame's `type`."""
    whole = described()
    found = {}
    for reference in whole["operations"]["said"]["messages"]:
        name = reference["$ref"].rpartition("/")[2]
        kind = whole["components"]["schemas"][name]["properties"]["type"]["const"]
        found[kind] = Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": whole["components"]})
    return found


def checked(frame: dict[str, Any]) -> dict[str, Any]:
    """The frame, if it is as described. Raises KeyError for a type nobody described, jsonschema.ValidationError."""
    _checkers()[frame["type"]].validate(frame)
    return frame
