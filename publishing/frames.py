"""The shape of a frame, defined once: what is stored when it is published, and how it is put on the wire. Pure.

A frame is encoded once, by the database; what depends on the subscription or the hour (`prev_seq`, `snapshot`, `stale`) is spliced
in front of that text for each socket. `seq`, `epoch` and `published_at` join the stored payload as it is appended.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from core.clock import iso
from evaluation.models import Decision, Verdict
from signals.models import Signal


class Kind(StrEnum):
    """What a frame speaks of: one model's judgement, or what the judgements come to."""

    DECISION = "decision"
    VERDICT = "verdict"


class Advice(BaseModel):
    """What every frame says: which signal, until when, and what to do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event_id: UUID
    evaluation: int
    symbol: str
    event_type: str
    source: str
    market: str
    decision: str
    confidence: float | None
    fallback: bool
    valid_until: str


class DecisionData(BaseModel):
    """The judgement in full: effective values, and what the guard made of the original ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    decision_id: UUID
    entry_plan: dict[str, Any] | None
    risk_plan: dict[str, Any] | None
    size_pct: int | float | None
    reasons: list[str]
    evidence_for: list[dict[str, Any]]
    evidence_against: list[dict[str, Any]]
    original: dict[str, Any]
    adjustments: list[dict[str, Any]]


class DecisionFrame(Advice):
    """One model's judgement, as stored."""

    type: Literal[Kind.DECISION] = Kind.DECISION
    model: str
    status: str
    data: DecisionData


class VerdictData(BaseModel):
    """How the verdict came about. No policy was applied, and nobody voted, where the signal ended before it was judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: str | None
    policy_version: int | None
    votes: list[dict[str, Any]]
    disagreement: float
    reason: str | None


class VerdictFrame(Advice):
    """What the judgements come to, as stored."""

    type: Literal[Kind.VERDICT] = Kind.VERDICT
    model: None = None
    data: VerdictData


AnyFrame = DecisionFrame | VerdictFrame
_JSON = {True: "true", False: "false"}


@dataclass(frozen=True)
class Setting:
    """What frames take from the installation: the market's name and how long advice lives after the signal's own time."""

    market: str
    ttl: timedelta


def decision_frame(signal: Signal, decision: Decision, setting: Setting) -> DecisionFrame:
    """The frame of a settled decision."""
    answer: dict[str, Any] = decision.answer
    return DecisionFrame(
        **_about(signal, setting),
        model=decision.model,
        decision=decision.decision,
        confidence=decision.confidence,
        status=decision.status,
        fallback=decision.fallback,
        data=DecisionData(
            decision_id=decision.pk,
            entry_plan=answer.get("entry_plan"),
            risk_plan=answer.get("risk_plan"),
            size_pct=answer.get("size_pct"),
            reasons=answer.get("reasons", []),
            evidence_for=answer.get("evidence_for", []),
            evidence_against=answer.get("evidence_against", []),
            original=decision.original,
            adjustments=decision.adjustments,
        ),
    )


def verdict_frame(signal: Signal, verdict: Verdict, setting: Setting) -> VerdictFrame:
    """The frame of a verdict."""
    return VerdictFrame(
        **_about(signal, setting),
        decision=verdict.decision,
        confidence=verdict.confidence,
        fallback=verdict.fallback,
        data=VerdictData(
            policy=verdict.policy,
            policy_version=verdict.policy_version,
            votes=verdict.votes,
            disagreement=verdict.disagreement,
            reason=verdict.reason or None,
        ),
    )


def unjudged_frame(signal: Signal, word: str, reason: str, setting: Setting) -> VerdictFrame:
    """The verdict of a signal that ended rejected or dead: the fallback's word (evaluation/fallbacks), and why."""
    return VerdictFrame(
        **_about(signal, setting),
        decision=word,
        confidence=None,
        fallback=True,
        data=VerdictData(policy=None, policy_version=None, votes=[], disagreement=0.0, reason=reason),
    )


def _about(signal: Signal, setting: Setting) -> dict[str, Any]:
    return {
        "event_id": signal.pk,
        "evaluation": signal.evaluation,
        "symbol": signal.symbol,
        "event_type": signal.event_type,
        "source": signal.source,
        "market": setting.market,
        "valid_until": iso(signal.ts_utc + setting.ttl),
    }


@dataclass(frozen=True, slots=True)
class Published:
    """A frame as the log holds it: what filters ask for, and the encoded rest. `symbol` is in upper case, for matching alone."""

    seq: int
    epoch: str
    kind: str
    model: str
    symbol: str
    event_type: str
    source: str
    valid_until: datetime
    rest: str

    def render(self, prev_seq: int, *, snapshot: bool, now: datetime) -> str:
        """The JSON text for one subscription: the members that differ go in front of those that all share."""
        stale = now > self.valid_until
        return (
            f'{{"type":"{self.kind}","epoch":"{self.epoch}","seq":{self.seq},"prev_seq":{prev_seq},'
            f'"snapshot":{_JSON[snapshot]},"stale":{_JSON[stale]},{self.rest[1:]}'
        )
