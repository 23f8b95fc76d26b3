"""From a payload to a prompt. Prompt files are immutable once released: a change of wording is a new file and a new version.

A file holds the instructions and, below the `=====user=====` line, the frame for the data. Each goes through one template step,
so nothing inside the data is ever taken for a hole. The code word around the data is derived from the payload's hash: the prompt
can be made again from what is stored, and no text inside the payload can know the word in advance.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

from core.canonical import digest
from core.errors import Permanent
from evaluation.ports import Prompt, Turn
from evaluation.schemas import WORDS, schema_hash, wire_schema

HOME = Path(__file__).parent / "prompts"
RELEASED = "RELEASED.json"
_DIVIDER = "\n=====user=====\n"
_NAME = re.compile(r"[a-z0-9_]{1,50}")


@dataclass(frozen=True)
class _Instructions:
    system: str
    frame: Template
    prompt_hash: str


def render(payload: str, payload_hash: str, event_type: str, version: str) -> Prompt:
    """The prompt for a canonical payload. Raises Permanent `unknown_prompt`."""
    instructions = _instructions(version, event_type)
    data = instructions.frame.substitute(nonce=nonce(payload_hash), payload=payload)
    return Prompt(
        version=version,
        event_type=event_type,
        system=instructions.system,
        turns=(Turn("user", data),),
        payload=payload,
        schema=wire_schema(event_type),
        prompt_hash=instructions.prompt_hash,
        payload_hash=payload_hash,
        schema_hash=schema_hash(event_type),
    )


def nonce(payload_hash: str) -> str:
    """The code word on both sides of the data."""
    return digest(f"nonce {payload_hash}")[:16]


def versions() -> list[str]:
    """The names of the prompts there are."""
    return sorted(file.stem for file in HOME.glob("*.md"))


def tampered(home: Path = HOME) -> list[str]:
    """Released prompts whose file is gone or no longer what was released, by name."""
    released: Mapping[str, str] = json.loads((home / RELEASED).read_text(encoding="utf-8"))
    return [name for name, checksum in released.items() if _checksum(home / f"{name}.md") != checksum]


def _checksum(file: Path) -> str:
    return digest(file.read_text(encoding="utf-8")) if file.is_file() else ""


@cache
def _instructions(version: str, event_type: str) -> _Instructions:
    file = HOME / f"{version}.md"
    if not _NAME.fullmatch(version) or not file.is_file():
        raise Permanent("unknown_prompt", f"There is no prompt {version!r}.")
    head, _, frame = file.read_text(encoding="utf-8").partition(_DIVIDER)
    decisions = "\n".join(f"- `{word}`: {meaning}" for word, meaning in WORDS[event_type].items())
    system = Template(head).substitute(event_type=event_type, decisions=decisions)
    return _Instructions(system, Template(frame.rstrip("\n")), digest(system + _DIVIDER + frame))
