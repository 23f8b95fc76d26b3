"""How one model's evaluation ends, as it will be stored: an answer held to policy, or the fallback with its reason. Pure."""

from dataclasses import dataclass, field
from typing import Any

from core.errors import LensError
from evaluation.facts import Facts
from evaluation.grounding import ground
from evaluation.guard import fallback, guard
from evaluation.parsing import LONGEST_FAULT, Failure, Parsed, bounded, parse
from evaluation.ports import Reply

# Which decision status an error becomes; every other code is the provider's failure.
_BY_CODE = {word: word for word in ("timeout", "rate_limited", "breaker_open", "budget_denied")}
LONGEST_REASON = 200


@dataclass(frozen=True)
class Outcome:
    """What is written on the decision row. `answer` is what takes effect, `original` the members a model had otherwise."""

    status: str
    answer: dict[str, Any]
    original: dict[str, Any] = field(default_factory=dict)
    adjustments: list[dict[str, Any]] = field(default_factory=list)
    fallback: bool = False
    reason: str = ""
    parse_mode: str | None = None
    ungrounded_ratio: float | None = None

    @property
    def columns(self) -> dict[str, Any]:
        """The decision's columns, by name: the word and its confidence stand beside the rest of the answer."""
        rest = dict(self.answer)
        return {
            "status": self.status,
            "decision": rest.pop("decision"),
            "confidence": rest.pop("confidence"),
            "fallback": self.fallback,
            "reason": self.reason[:LONGEST_REASON],
            "answer": rest,
            "original": self.original,
            "adjustments": self.adjustments,
            "ungrounded_ratio": self.ungrounded_ratio,
        }


def accepted(parsed: Parsed, facts: Facts, *, repaired: bool) -> Outcome:
    """An answer, guarded."""
    held = guard(parsed.answer, facts)
    status = "repaired" if repaired else "ok"
    ratio = ground(parsed.answer, facts).ungrounded_ratio
    return Outcome(status, held.effective, held.original, held.adjustments, parse_mode=parsed.parse_mode, ungrounded_ratio=ratio)


def judged(reply: Reply, facts: Facts, most_ungrounded: float) -> Parsed | Failure:
    """The parser's result; an answer whose evidence is made up beyond what policy bears is incoherent."""
    result = parse(reply, facts)
    if isinstance(result, Failure):
        return result
    found = ground(result.answer, facts)
    if not found.beyond(most_ungrounded):
        return result
    return Failure("incoherent", bounded(" ".join(found.faults), LONGEST_FAULT), result.answer)


def refused(failure: Failure, facts: Facts, word: str) -> Outcome:
    """The fallback (`word`) for an answer that is none; an incoherent answer is kept beside it."""
    effective = fallback(word, failure.status)
    ratio = None if failure.answer is None else ground(failure.answer, facts).ungrounded_ratio
    own = {} if failure.answer is None else failure.answer.model_dump(mode="json")
    original = {name: value for name, value in own.items() if value != effective[name]}
    return Outcome(failure.status, effective, original, fallback=True, reason=failure.detail, ungrounded_ratio=ratio)


def failed(error: LensError, word: str) -> Outcome:
    """The fallback (`word`) for a call that failed."""
    status = _BY_CODE.get(error.code, "provider_error")
    return Outcome(status, fallback(word, status), fallback=True, reason=f"{error.code}: {error.detail}")
