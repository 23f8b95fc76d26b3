"""What the stored texts are, and which models were given them lately."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from django.db import connection

from core.canonical import digest
from evaluation.prompting import instructions, versions
from evaluation.schemas import WORDS, schema_hash

# A text that none of these decisions rests on is not in use; looking further back would walk the whole table.
LATELY = 10_000
_NEWEST = """
SELECT prompt_hash, schema_hash, model, count(*), max(evaluated_at)
  FROM (SELECT prompt_hash, schema_hash, model, evaluated_at FROM evaluation_decision
         WHERE evaluated_at IS NOT NULL ORDER BY evaluated_at DESC, id DESC LIMIT %s) AS newest
 GROUP BY prompt_hash, schema_hash, model ORDER BY model
"""


@dataclass(frozen=True)
class Use:
    """Who rested on a text among the newest decisions, how many did, and when the last one was made."""

    models: tuple[str, ...]
    decisions: int
    last: datetime


def uses() -> dict[str, Use]:
    """By the text's hash; one statement. Texts that are not in use are not there."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [LATELY])
        rows = cursor.fetchall()
    found: dict[str, Use] = {}
    for prompt, schema, model, decisions, last in rows:
        for key in filter(None, (prompt, schema)):
            before = found.get(key, Use((), 0, last))
            models = tuple(dict.fromkeys((*before.models, model)))
            found[key] = Use(models, before.decisions + decisions, max(before.last, last))
    return found


@cache
def names() -> dict[str, str]:
    """What this release's texts are called, by hash; those of earlier releases have no name any more."""
    prompts = {
        digest(instructions(version, event)): f"instructions {version}, {event}" for version in versions() for event in WORDS
    }
    return {**prompts, **{schema_hash(event): f"answer's schema, {event}" for event in WORDS}}
