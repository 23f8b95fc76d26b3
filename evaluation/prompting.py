"""From a payload to a prompt. Prompt files are immutable once released: a change of wording is a new file and a new version.

A core file (`core_v1.md`) holds the instructions and, below the `=====user=====` line, the frame for the data. A wrapper file puts
what one kind of model needs around a core: version `core_v1+schema_v1` is that core inside `wrapper_schema_v1.md`. Each file goes
through one template step and what is filled in is not looked at again, so nothing inside the data is ever taken for a hole. The
code word around the data is derived from the payload's hash: the prompt can be made again from what is stored, and no text inside
the payload can know the word in advance.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

from core.canonical import canonical, digest
from core.errors import Permanent
from evaluation.ports import Prompt, Turn
from evaluation.schemas import WORDS, schema_hash, wire_schema

HOME = Path(__file__).parent / "prompts"
RELEASED = "RELEASED.json"
_DIVIDER = "\n=====user=====\n"
_WRAPPER = "wrapper_"
_NAME = re.compile(r"core_[a-z0-9_]{1,20}(\+[a-z0-9_]{1,20})?")


@dataclass(frozen=True)
class _Instructions:
    system: str
    frame: str

    @property
    def text(self) -> str:
        return self.system + _DIVIDER + self.frame


def render(payload: str, payload_hash: str, event_type: str, version: str) -> Prompt:
    """The prompt for a canonical payload. Raises Permanent `unknown_prompt`."""
    made = _instructions(version, event_type)
    data = Template(made.frame.rstrip("\n")).substitute(nonce=nonce(payload_hash), payload=payload)
    return Prompt(
        version=version,
        event_type=event_type,
        system=made.system,
        turns=(Turn("user", data),),
        payload=payload,
        schema=wire_schema(event_type),
        prompt_hash=digest(made.text),
        payload_hash=payload_hash,
        schema_hash=schema_hash(event_type),
    )


def instructions(version: str, event_type: str) -> str:
    """The text that `prompt_hash` is the SHA-256 of. Raises Permanent `unknown_prompt`."""
    return _instructions(version, event_type).text


def nonce(payload_hash: str) -> str:
    """The code word on both sides of the data."""
    return digest(f"nonce {payload_hash}")[:16]


def versions() -> list[str]:
    """The names of the prompts there are: each core alone and inside each wrapper."""
    cores = sorted(file.stem for file in HOME.glob("core_*.md"))
    wrappers = sorted(file.stem.removeprefix(_WRAPPER) for file in HOME.glob(f"{_WRAPPER}*.md"))
    return cores + [f"{core}+{wrapper}" for core in cores for wrapper in wrappers]


def tampered(home: Path = HOME) -> list[str]:
    """Released prompts whose file is gone or no longer what was released, by name."""
    released: Mapping[str, str] = json.loads((home / RELEASED).read_text(encoding="utf-8"))
    return [name for name, checksum in released.items() if _checksum(home / f"{name}.md") != checksum]


def _checksum(file: Path) -> str:
    return digest(file.read_text(encoding="utf-8")) if file.is_file() else ""


@cache
def _instructions(version: str, event_type: str) -> _Instructions:
    if not _NAME.fullmatch(version):
        raise Permanent("unknown_prompt", f"There is no prompt {version!r}.")
    core, _, wrapper = version.partition("+")
    decisions = "\n".join(f"- `{word}`: {meaning}" for word, meaning in WORDS[event_type].items())
    head, _, frame = _file(core).partition(_DIVIDER)
    made = _Instructions(Template(head).substitute(event_type=event_type, decisions=decisions), frame)
    if not wrapper:
        return made
    around, _, own_frame = _file(_WRAPPER + wrapper).partition(_DIVIDER)
    schema = canonical(wire_schema(event_type))
    return _Instructions(Template(around.rstrip("\n")).substitute(core=made.system, schema=schema), own_frame or made.frame)


def _file(name: str) -> str:
    file = HOME / f"{name}.md"
    if not file.is_file():
        raise Permanent("unknown_prompt", f"There is no prompt {name!r}.")
    return file.read_text(encoding="utf-8")
