"""Find the signal inside a prompt: the largest JSON object that names an event, wherever the prompt puts it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

KEYS = ("event_id", "event_type")
MAX_TRIES = 200

_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Payload:
    """The decoded object and the very characters it was read from."""

    data: dict[str, Any]
    text: str

    @property
    def event_id(self) -> str:
        """The signal's id, or `-` when the payload carries none."""
        return str(self.data.get("event_id") or "-")


def find_payload(texts: Iterable[str]) -> Payload | None:
    """The payload of the first text that holds one; give the user's turns newest first."""
    for text in texts:
        if any(f'"{key}"' in text for key in KEYS):
            found = max(_candidates(text), key=lambda payload: len(payload.text), default=None)
            if found is not None:
                return found
    return None


def _candidates(text: str) -> Iterator[Payload]:
    position = text.find("{")
    for _ in range(MAX_TRIES):
        if position < 0:
            return
        try:
            value, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            named = _named(value)
            if named is not None:
                yield Payload(named, text[position:end])
        position = text.find("{", end)


def _named(value: dict[str, Any]) -> dict[str, Any] | None:
    """The object itself when it names an event, or the one directly inside it that does (`{"payload": {…}}`)."""
    if any(key in value for key in KEYS):
        return value
    inner = (member for member in value.values() if isinstance(member, dict))
    return next((member for member in inner if any(key in member for key in KEYS)), None)
