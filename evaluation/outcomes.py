"""How one model's evaluation ends, as it will be stored: an answer held to policy, or the fallback with its reason. Pure."""

from dataclasses import dataclass, field
from typing import Any

from core.errors import LensError
from evaluation.facts import Facts
from evaluation.guard import fallback, guard
from evaluation.parsing import Failure, Parsed

# Which decision status an error becomes; every other code is the provider's failure.
_BY_CODE = {"timeout": "timeout", "rate_limited": "rate_limited"}
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
        }


def accepted(parsed: Parsed, facts: Facts, *, repaired: bool) -> Outcome:
    """An answer, guarded."""
    held = guard(parsed.answer, facts)
    status = "repaired" if repaired else "ok"
    return Outcome(status, held.effective, held.original, held.adjustments, parse_mode=parsed.parse_mode)


def refused(failure: Failure, event_type: str) -> Outcome:
    """The fallback for an answer that is none; an incoherent answer is kept beside it."""
    effective = fallback(event_type, failure.status)
    own = {} if failure.answer is None else failure.answer.model_dump(mode="json")
    original = {name: value for name, value in own.items() if value != effective[name]}
    return Outcome(failure.status, effective, original, fallback=True, reason=failure.detail)


def failed(error: LensError, event_type: str) -> Outcome:
    """The fallback for a call that failed."""
    status = _BY_CODE.get(error.code, "provider_error")
    return Outcome(status, fallback(event_type, status), fallback=True, reason=f"{error.code}: {error.detail}")
