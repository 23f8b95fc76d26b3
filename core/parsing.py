"""Strict JSON: what the standard parser lets through is refused here, before any field is looked at.

Numbers become Decimal at the first byte; NaN, Infinity, duplicate keys, NUL, lone surrogates and deep nesting are errors.
"""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

MAX_DEPTH = 16
MAX_NUMBER = 64


def strict_loads(body: bytes) -> Any:
    """The JSON value, numbers as Decimal. Raises ValueError saying what is wrong with the text."""
    text = body.decode("utf-8")
    _refuse_deep(text)
    value = json.loads(
        text, parse_float=_number, parse_int=_number, parse_constant=_refuse_constant, object_pairs_hook=_without_doubles
    )
    _refuse_unstorable(value)
    return value


class StrictJSONParser(JSONParser):
    """DRF's JSON parser with `strict_loads` behind it."""

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        try:
            return strict_loads(stream.read())
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body is not acceptable JSON: {error}") from error


def _number(text: str) -> Decimal:
    if len(text) > MAX_NUMBER:
        raise ValueError(f"a number has more than {MAX_NUMBER} characters")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text} is not a number") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        double = next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)
        raise ValueError(f"the key {double!r} appears twice")
    return members


def _refuse_deep(text: str) -> None:
    """Depth is counted before parsing, brackets inside strings included: too strict by at most a hostile string."""
    depth = deepest = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    if deepest > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")


def _refuse_unstorable(value: Any) -> None:
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("a text holds a NUL or half a surrogate pair")
    elif isinstance(value, dict):
        for key, member in value.items():
            _refuse_unstorable(key)
            _refuse_unstorable(member)
    elif isinstance(value, list):
        for member in value:
            _refuse_unstorable(member)
