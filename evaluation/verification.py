"""Whether a decision can be recomputed from what is stored: every part it rests on, in the order in which it was made.

payload ─▶ instructions ─▶ schema ─▶ answer (the raw text) ─▶ parse ─▶ guard

The first part that differs is named. The texts are those that were used; parser and guard are today's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from core.canonical import canonical, digest
from core.errors import Permanent
from enrichment.selectors import judged_by
from evaluation.facts import Facts, read
from evaluation.guard import fallback
from evaluation.models import Decision, ModelCall
from evaluation.outcomes import Outcome, accepted, failed, judged, refused
from evaluation.parsing import Failure, Parsed
from evaluation.ports import Reply
from evaluation.prompting import instructions, versions
from evaluation.schemas import FALLBACK, wire_schema
from evaluation.texts import text_of
from signals.models import ExitWord

# What a call's outcome says when there was a reply to read; every other word is the vendor's or the network's failure.
_READ = frozenset({"ok", "invalid_json", "schema_error", "incoherent", "refused", "truncated"})
BUG = "internal_error"
# What stands on the decision once it is settled.
_RECOMPUTED = ("status", "decision", "confidence", "fallback", "reason", "answer", "original", "adjustments", "ungrounded_ratio")


@dataclass(frozen=True)
class Difference:
    """The first part of a decision that is not what it was, and what about it."""

    part: str
    detail: str


def verify(decision: Decision) -> Difference | None:
    """None when everything a settled decision rests on gives that decision again."""
    return next(_differences(decision), None)


def _differences(decision: Decision) -> Iterator[Difference]:
    if not decision.payload_hash:
        yield from _fallback(decision)
        return
    market = judged_by(decision.signal_id, decision.evaluation)
    if market is None or digest(market.payload) != decision.payload_hash or market.payload_hash != decision.payload_hash:
        yield Difference("payload", "The stored payload does not have the hash on the decision.")
        return
    if decision.prompt_hash:
        yield from _texts(decision)
    calls = _calls(decision)
    yield from (Difference("answer", f"The raw text of call {call.pk} does not have its hash.") for call in calls if _touched(call))
    yield from _outcome(decision, calls, market.payload)


def _texts(decision: Decision) -> Iterator[Difference]:
    """A text that was never stored is this release's, if that still has the hash."""
    today = _of_this_release(decision.prompt_version, decision.signal.event_type)
    for part, key in (("instructions", decision.prompt_hash), ("schema", decision.schema_hash)):
        stored = text_of(key) or today[part]
        if digest(stored) != key:
            yield Difference(part, "The stored text does not have the hash on the decision.")
    if today["instructions"] and digest(today["instructions"]) != decision.prompt_hash:
        yield Difference("instructions", f"The prompt {decision.prompt_version} is not what it was.")


@cache
def _of_this_release(version: str, event_type: str) -> Mapping[str, str]:
    """Instructions and schema as the files give them now; empty instructions for a prompt this release does not have."""
    known = instructions(version, event_type) if version in versions() else ""
    return {"instructions": known, "schema": canonical(wire_schema(event_type))}


def _calls(decision: Decision) -> list[ModelCall]:
    """The calls of the claim that settled it, none where a bug of ours did. A carried decision's are its first round's."""
    made = ModelCall.objects.filter(decision_id=decision.carried_from or decision.pk)
    if decision.reason.startswith(f"{BUG}:"):
        return []
    return list(made.filter(attempt=decision.attempts + 1, claim=decision.claims).order_by("repair"))


def _touched(call: ModelCall) -> bool:
    return digest(call.raw_text) != call.raw_hash


def _outcome(decision: Decision, calls: list[ModelCall], payload: str) -> Iterator[Difference]:
    facts = read(payload)
    results = [(call, _understood(call, facts)) for call in calls if call.outcome in _READ]
    for call, result in results:
        if call.outcome != ("ok" if isinstance(result, Parsed) else result.status):
            yield Difference("parse", f"Call {call.pk} was {call.outcome}; its text says otherwise.")
    made = _made(decision, calls, [result for _, result in results], facts)
    yield from _compared(decision, made)


def _understood(call: ModelCall, facts: Facts) -> Parsed | Failure:
    """What the call's text says. Policy on made-up evidence may have been other then: what it called incoherent is held to it."""
    refusal = call.raw_text if call.outcome == "refused" else None
    reply = Reply(call.raw_text, call.finish_reason, refusal)
    return judged(reply, facts, 0.0 if call.outcome == "incoherent" else 1.0)


def _made(decision: Decision, calls: list[ModelCall], results: list[Parsed | Failure], facts: Facts) -> Outcome:
    if results:
        result = results[-1]
        return (
            accepted(result, facts, repaired=len(results) > 1)
            if isinstance(result, Parsed)
            else refused(result, facts, _word(decision))
        )
    if calls:
        return failed(Permanent(calls[-1].outcome, calls[-1].error), _word(decision))
    return _not_asked(decision)


def _fallback(decision: Decision) -> Iterator[Difference]:
    """A decision drawn at the deadline rests on nothing but the event."""
    yield from _compared(decision, _not_asked(decision))


def _compared(decision: Decision, made: Outcome) -> Iterator[Difference]:
    for name in _RECOMPUTED:
        if made.columns[name] != getattr(decision, name):
            yield Difference("guard", f"{name} is not what the guard makes of the answer.")


def _not_asked(decision: Decision) -> Outcome:
    return Outcome(decision.status, fallback(_word(decision), decision.status), fallback=True, reason=decision.reason)


def _word(decision: Decision) -> str:
    """The fallback's word. A source may have been set otherwise then: an exit's is believed if it is one that can be set."""
    signal = decision.signal
    settable = not signal.opens and decision.fallback and decision.decision in ExitWord.values
    return decision.decision if settable else FALLBACK[signal.event_type]
