"""From a model's text to an answer, or to the name of what is wrong with it. Pure, and never raises.

finish reason ──▶ truncated │ refused │ far too long
text ──▶ strip fences or prose ──▶ JSON? ──▶ schema? ──▶ coherent? ──▶ Parsed
             (parse_mode)        invalid_json  schema_error  incoherent
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from pydantic import ValidationError

from evaluation.facts import Facts
from evaluation.ports import OVERSIZED, Reply
from evaluation.schemas import ENTER, LARGEST_ANSWER, TIGHTEN, WORDS, Answer

ParseMode = Literal["strict", "fenced", "extracted"]
FailureStatus = Literal["invalid_json", "schema_error", "incoherent", "refused", "truncated"]

RAW_LIMIT = 16_384
LONGEST_FAULT = 500
_MOST_TRIES = 32
_FENCE = re.compile(r"```[A-Za-z0-9_-]*\s*\n?(.*?)```", re.DOTALL)
_CUT_OFF = frozenset({"length", "max_tokens"})
_REFUSING = frozenset({"content_filter", "refusal"})
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Parsed:
    """An answer, and how its JSON was found."""

    answer: Answer
    parse_mode: ParseMode


@dataclass(frozen=True)
class Failure:
    """No answer: which kind, one sentence that may be shown to the model, and the answer itself where it was merely incoherent."""

    status: FailureStatus
    detail: str
    answer: Answer | None = None

    @property
    def repairable(self) -> bool:
        """Whether asking once more, with the fault named, may help."""
        return self.status in {"invalid_json", "schema_error", "incoherent"}


def bounded(text: str, limit: int = RAW_LIMIT) -> str:
    """The text as it can be stored: at most `limit` UTF-8 bytes, without NUL and half surrogates."""
    clean = _UNSTORABLE.sub("\ufffd", text[:limit])
    return clean.encode()[:limit].decode(errors="ignore")


def parse(reply: Reply, facts: Facts) -> Parsed | Failure:
    """The answer in a reply to these facts, or what keeps it from being one."""
    return ending_fault(reply) or parse_text(reply.text, facts)


def ending_fault(reply: Reply) -> Failure | None:
    """What the way a reply ended says about it, before its text is looked at."""
    if reply.finish_reason in _CUT_OFF:
        return Failure("truncated", "The answer was cut off at the token limit.")
    if reply.finish_reason == OVERSIZED:
        return Failure("invalid_json", "The answer is far longer than an answer may be.")
    if reply.refusal is not None or reply.finish_reason in _REFUSING:
        return Failure("refused", "The model declined to answer.")
    return None


def parse_text(text: str, facts: Facts) -> Parsed | Failure:
    """The same for bare text."""
    found = read_answer(text)
    if isinstance(found, Failure):
        return found
    fault = incoherence(found.answer, facts)
    return found if fault is None else Failure("incoherent", fault, found.answer)


def read_answer(text: str) -> Parsed | Failure:
    """The answer in a text, whatever it says about the signal."""
    found = _find_json(bounded(text))
    if found is None:
        return Failure("invalid_json", "The answer is not one JSON object.")
    try:
        answer = Answer.model_validate_json(found[0])
    except ValidationError as error:
        return Failure("schema_error", _described(error))
    if len(answer.model_dump_json().encode()) > LARGEST_ANSWER:
        return Failure("schema_error", f"The answer is longer than {LARGEST_ANSWER} bytes.")
    return Parsed(answer, found[1])


def incoherence(answer: Answer, facts: Facts) -> str | None:
    """What contradicts the event or the market, in one sentence; None when the answer makes sense."""
    legal = WORDS.get(facts.event_type, {})
    if answer.decision not in legal:
        return f"{answer.decision} is no answer to {facts.event_type}; use one of {', '.join(legal)}."
    plan = answer.risk_plan
    if answer.decision == ENTER and (plan is None or not plan.names_its_stop):
        return f"{ENTER} needs a risk_plan with the figure of its stop_method."
    if answer.decision == ENTER and facts.room is not None and facts.room <= 0:
        return "The price is at or beyond liquidation: no stop can trigger before it."
    if answer.decision not in {ENTER, TIGHTEN} or plan is None or plan.stop_level is None or facts.price is None:
        return None
    stop = Decimal(str(plan.stop_level))
    if (stop >= facts.price) if facts.long else (stop <= facts.price):
        side, place = ("long", "below") if facts.long else ("short", "above")
        return f"The stop of a {side} position must lie {place} the price."
    return None


def _find_json(text: str) -> tuple[str, ParseMode] | None:
    """The JSON text of the answer: all of it, else the last fence, else the last object that names a decision."""
    whole = text.strip().removeprefix("\ufeff")
    if _is_json(whole):
        return whole, "strict"
    for fenced in reversed(_FENCE.findall(whole)):
        if _is_json(fenced.strip()):
            return fenced.strip(), "fenced"
    candidates = [part for part in _objects(whole) if '"decision"' in part and _is_json(part)]
    return (candidates[-1], "extracted") if candidates else None


def _objects(text: str) -> Iterator[str]:
    """Outermost JSON objects inside prose, from left to right."""
    decoder = json.JSONDecoder()
    position = text.find("{")
    for _ in range(_MOST_TRIES):
        if position < 0:
            return
        try:
            _, end = decoder.raw_decode(text, position)
            yield text[position:end]
        except (ValueError, RecursionError):
            end = position + 1
        position = text.find("{", end)


def _is_json(text: str) -> bool:
    """JSON by the letter: no NaN, no doubled key, nothing before or after."""
    try:
        json.loads(text, parse_constant=_refuse, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key appears twice")
    return members


def _described(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"{'.'.join(str(step) for step in fault['loc']) or 'answer'}: {fault['msg']}" for fault in faults]
    return bounded("; ".join(lines), LONGEST_FAULT)
