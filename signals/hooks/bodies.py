"""What a hook was sent, as one object: JSON whatever the content type says, or lines of `key=value`. Pure.

Every refusal is a sentence for the person who wrote the alert, not for a parser.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from core.parsing import strict_loads

# Some senders frame their JSON with a word on each side.
_FRAMED = re.compile(r"[A-Za-z_]{1,40}\s*(\{.*\})\s*[A-Za-z_]{0,40}", re.DOTALL)
_LINE = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.-]{0,63})\s*[=:]\s*(.*?)\s*")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ADVICE = (
    ("Expecting ',' delimiter", "a comma is missing before this place, or a value is not a single quoted text or number"),
    ("Expecting property name", "a name in double quotes belongs here; a comma after the last pair is one too many"),
    ("Expecting ':' delimiter", "a colon belongs between a name and its value"),
    ("Expecting value", "a value is missing or a text stands without double quotes"),
    ("Unterminated string", "a text has no closing double quote"),
    ("Invalid control character", "a line break inside a text; write \\n instead"),
    ("Extra data", "there is more after the closing brace"),
)


class UnreadableError(ValueError):
    """The body is neither a JSON object nor lines of pairs; the message says what to change."""


def read_body(raw: bytes) -> dict[str, Any]:
    """The names and values of a body, numbers as Decimal. Raises UnreadableError with a hint."""
    try:
        text = raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise UnreadableError(f"The message is not UTF-8 text: byte {error.start} cannot be read.") from error
    if not text:
        raise UnreadableError("The message is empty.")
    framed = _FRAMED.fullmatch(text)
    if framed or text[0] in '{["':
        return _json_object(framed[1] if framed else text)
    return _pairs(text)


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = strict_loads(text.encode())
    except json.JSONDecodeError as error:
        raise UnreadableError(_json_hint(error)) from error
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"The message is not acceptable JSON: {error}.") from error
    if not isinstance(value, dict):
        raise UnreadableError("The message is JSON but not an object: it must start with { and hold names and values.")
    return value


def _json_hint(error: json.JSONDecodeError) -> str:
    advice = next((text for start, text in _ADVICE if error.msg.startswith(start)), error.msg)
    near = error.doc[max(error.pos - 12, 0) : error.pos + 12].replace("\n", " ")
    return f"The message is not valid JSON: line {error.lineno}, column {error.colno}: {advice} (near “{near}”)."


def _pairs(text: str) -> dict[str, Any]:
    if _CONTROL.search(text):
        raise UnreadableError("The message holds control characters.")
    pairs = list(_split(text))
    names = [name.lower() for name, _ in pairs]
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise UnreadableError(f"{doubles[0]} is given twice.")
    return dict(pairs)


def _split(text: str) -> Iterator[tuple[str, str]]:
    for part in filter(str.strip, re.split(r"[\n;]", text)):
        found = _LINE.fullmatch(part)
        if found is None:
            raise UnreadableError(
                f"“{part.strip()[:60]}” is neither JSON nor a name with a value."
                " Send a JSON object, or one pair a line such as symbol=BTC."
            )
        yield found[1], found[2]
