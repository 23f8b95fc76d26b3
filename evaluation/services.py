"""Judging: one model's answer to one signal, and what all answers come to.

claim ─▶ breaker, room, budget ─▶ render ─▶ (no database) ask ─▶ parse ─▶ ask once more, with the fault ─▶ guard ─▶ settle
"""

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from core import telemetry
from core.crashpoints import crashpoint
from core.errors import Permanent, Transient
from core.prepared import insert
from evaluation import breakers, budget, consensus, texts
from evaluation.admission import BusyError, admitted
from evaluation.claims import EvaluationClaim, lease_for, meta
from evaluation.consensus import Vote
from evaluation.facts import read
from evaluation.fallbacks import fallback_of
from evaluation.models import Decision, DecisionStatus, EvaluationModel, Verdict
from evaluation.outcomes import Outcome, accepted, failed, judged, refused
from evaluation.parsing import Parsed
from evaluation.ports import Prompt
from evaluation.prices import FREE, worst_case
from evaluation.prompting import render
from evaluation.selectors import Round, look, rates_of, registered
from evaluation.settlement import count, lock, note
from evaluation.talk import Talk, Terms
from signals.models import Signal, Status


def judge(held: EvaluationClaim) -> None:
    """Ask the claimed model and settle its decision. Raises the client's errors for the stage to sort; nothing is settled then."""
    crashpoint("evaluate.claimed")
    try:
        outcome = _in_turn(held, _judge_on_duty(held))
    except BusyError as busy:
        held.wait(busy.after, Transient("rate_limited", "The limits set for this model left no room for the call."))
        return
    except _Hindrance as hindrance:
        outcome = failed(hindrance, fallback_of(held.signal))
    crashpoint("evaluate.answered")
    held.settle(outcome)


class _Hindrance(Permanent):
    """Why a claimed model must not be asked."""


def _judge_on_duty(held: EvaluationClaim) -> EvaluationModel:
    if held.poisonous:
        raise _Hindrance("worker_lost", "The workers that asked this model ended before it answered.")
    if held.model is None or not held.model.enabled:
        raise _Hindrance("model_disabled", "The model was disabled or removed after the signal was enriched.")
    if held.left_s <= 0:
        raise _Hindrance("timeout", "The time for answers was over before this model could be asked.")
    return held.model


def _in_turn(held: EvaluationClaim, model: EvaluationModel) -> Outcome:
    """The opinion, if the breaker and the model's limits let it be asked for. A turn in which nobody was called goes back."""
    turn = breakers.take_turn(model.name, lease_for(model))
    if turn is None:
        raise _Hindrance("breaker_open", f"Not asked: its latest calls failed ({breakers.state(model.name).cause}).")
    try:
        with admitted(model, held.lease.token, lease_for(model)):
            return _opinion(held, model)
    finally:
        if not held.bill.calls:
            breakers.give_back(turn)


def _opinion(held: EvaluationClaim, model: EvaluationModel) -> Outcome:
    prompt = render(held.payload, held.payload_hash, held.signal.event_type, model.prompt_version)
    held.columns |= {
        "prompt_version": prompt.version,
        "prompt_hash": prompt.prompt_hash,
        "schema_hash": prompt.schema_hash,
    }
    texts.keep(prompt)
    terms = _terms(held, model, prompt)
    # Nothing is held in the database while a client is made or a model thinks: hundreds of threads share a dozen connections.
    connection.close()
    talk = Talk(held, model, terms)
    facts, most_ungrounded = read(prompt.payload), settings.LENS.max_ungrounded_ratio
    first = talk.ask(prompt)
    result = talk.understood(judged(first, facts, most_ungrounded))
    if isinstance(result, Parsed):
        return accepted(result, facts, repaired=False)
    second = talk.ask_again(prompt, first, result)
    if second is not None:
        result = talk.understood(judged(second, facts, most_ungrounded))
    if isinstance(result, Parsed):
        return accepted(result, facts, repaired=True)
    return refused(result, facts, fallback_of(held.signal))


def _terms(held: EvaluationClaim, model: EvaluationModel, prompt: Prompt) -> Terms:
    """The prices, and where a budget counts these calls, their worst case set aside."""
    rates = rates_of(model)
    limits = [] if rates == FREE else budget.applying(model, held.signal.source)
    if not limits:
        return Terms(rates)
    if rates is None:
        raise _Hindrance("budget_denied", f"The budget {limits[0]} cannot be kept: nobody has said what this model costs.")
    worst = worst_case(rates, prompt, model.max_tokens)
    hold = budget.reserve(worst[0] + worst[1], limits, held.lease)
    if isinstance(hold, budget.Limit):
        raise _Hindrance("budget_denied", f"The budget {hold} has no room for this call today.")
    held.bill.hold = hold
    return Terms(rates, worst)


@dataclass(frozen=True)
class Drawn:
    """A verdict that is due and not yet stored, with the round it was drawn from."""

    verdict: Verdict
    seen: Round

    @property
    def details(self) -> dict[str, Any]:
        """What the timeline says of it."""
        return {"decision": self.verdict.decision, "policy": self.verdict.policy, "reason": self.verdict.reason or None}


def draw(signal: Signal) -> Drawn | None:
    """The verdict if it is due: everyone has answered or abstained, or time is up. None when it is not.

    Writes nothing, but locks the signal's row until the caller's transaction ends.
    """
    if signal.status != Status.ENRICHED:
        return None
    lock(signal)
    seen = look(signal)
    if not seen.due:
        return None
    votes = _votes(seen)
    policy = settings.LENS.consensus
    drawn = consensus.decide(policy, signal.event_type, votes)
    if drawn.fallback:
        drawn = replace(drawn, decision=fallback_of(signal))
    verdict = Verdict(
        signal=signal,
        evaluation=signal.evaluation,
        policy=policy,
        policy_version=consensus.POLICY_VERSION,
        votes=[_shown(vote) for vote in votes],
        **asdict(drawn),
    )
    return Drawn(verdict, seen)


def keep(drawn: Drawn) -> None:
    """Store a verdict, in the transaction that drew it and moved its signal."""
    verdict = drawn.verdict
    insert(verdict)
    if verdict.fallback:
        transaction.on_commit(partial(_degraded, verdict.reason), robust=True)
    crashpoint("conclude.saved")


def _votes(seen: Round) -> list[Vote]:
    """One vote per expected model, in the panel's order; the silent ones have timed out."""
    rows = {row["model"]: row for row in seen.rows if row["status"]}
    late = None if seen.complete else Vote("", fallback_of(seen.signal), None, DecisionStatus.TIMEOUT, fallback=True)
    return [
        Vote(**{name: rows[model][name] for name in ("model", "decision", "confidence", "status", "fallback")})
        if late is None or model in rows
        else replace(late, model=model)
        for model in seen.signal.expected or []
    ]


def _degraded(reason: str) -> None:
    telemetry.signals_degraded.labels(reason=reason).inc()


def _shown(vote: Vote) -> dict[str, Any]:
    return {"model": vote.model, "decision": vote.decision, "confidence": vote.confidence, "status": vote.status}


def give_up(seen: Round) -> None:
    """Every decision that the verdict did not wait for becomes a `timeout`, in the transaction that drew it.

    A worker that comes later finds its row taken.
    """
    if seen.complete:
        return
    signal = seen.signal
    ours = {"signal": signal, "evaluation": signal.evaluation}
    Decision.objects.bulk_create([Decision(**ours, model=model) for model in seen.missing], ignore_conflicts=True)
    late = failed(Permanent("timeout", "The time for answers was over."), fallback_of(signal))
    for model in [*seen.missing, *(row["model"] for row in seen.open_rows)]:
        owed = Decision.objects.filter(**ours, model=model, status="")
        if owed.update(**late.columns, model_meta=meta(registered(model), late), lease_until=None, evaluated_at=Now()):
            note(signal, model, late)
            transaction.on_commit(partial(count, model, late.status), robust=True)
