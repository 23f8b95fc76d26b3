"""Texts that many decisions rest on, stored once: a million decisions share a handful of instructions and schemas.

Only hashes travel on the decision's row. The payload needs no place here: it is stored once per signal and round, for all models.
"""

from core.canonical import canonical
from evaluation.models import Text
from evaluation.ports import Prompt
from evaluation.prompting import instructions

_kept: set[str] = set()


def keep(prompt: Prompt) -> None:
    """Store what the prompt is made of, unless this process knows it to be there."""
    if {prompt.prompt_hash, prompt.schema_hash} <= _kept:
        return
    texts = {prompt.prompt_hash: instructions(prompt.version, prompt.event_type), prompt.schema_hash: canonical(prompt.schema)}
    Text.objects.bulk_create([Text(hash=key, text=text) for key, text in texts.items()], ignore_conflicts=True)
    _kept.update(texts)


def text_of(key: str) -> str | None:
    """The text under this hash, None when there is none."""
    return Text.objects.filter(pk=key).values_list("text", flat=True).first()


def forget() -> None:
    """Know of nothing stored."""
    _kept.clear()
