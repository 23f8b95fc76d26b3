"""Judging: one model's answer to one signal, and what all answers come to.

claim ─▶ render ─▶ (no database) ask ─▶ parse ─▶ ask once more, with the fault ─▶ guard ─▶ settle ─▶ … ─▶ conclude
"""

import time
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from core import telemetry
from core.crashpoints import crashpoint
from core.errors import LensError, Permanent
from evaluation import consensus
from evaluation.claims import EvaluationClaim, described
from evaluation.clients import client_for
from evaluation.consensus import Vote
from evaluation.facts import read
from evaluation.models import Decision, DecisionStatus, EvaluationModel, ModelCall, Verdict
from evaluation.outcomes import Outcome, accepted, failed, refused
from evaluation.parsing import Failure, Parsed, bounded, parse
from evaluation.ports import Limits, ModelClient, Prompt, Reply, Unreadable
from evaluation.prompting import render
from evaluation.schemas import FALLBACK
from evaluation.selectors import Round, look, registered
from evaluation.settlement import count, lock, note
from signals.lifecycle import advance
from signals.models import Signal, Status

# With less than this left, asking once more is money for nothing.
LEAST_FOR_REPAIR_S = 0.5


def judge(held: EvaluationClaim) -> None:
    """Ask the claimed model and settle its decision. Raises the client's errors for the stage to sort; nothing is settled then."""
    crashpoint("evaluate.claimed")
    try:
        outcome = _opinion(held, _judge_on_duty(held))
    except _Hindrance as hindrance:
        outcome = failed(hindrance, held.signal.event_type)
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


def _opinion(held: EvaluationClaim, model: EvaluationModel) -> Outcome:
    prompt = render(held.payload, held.payload_hash, held.signal.event_type, model.prompt_version)
    held.columns |= {
        "prompt_version": prompt.version,
        "prompt_hash": prompt.prompt_hash,
        "schema_hash": prompt.schema_hash,
    }
    facts = read(prompt.payload)
    talk = _Talk(held, model, client_for(model.vendor, model.endpoint))
    # Nothing is held in the database while a model thinks: a hundred threads share a dozen connections.
    connection.close()
    first = talk.ask(prompt)
    result = talk.understood(first, parse(first, facts))
    if isinstance(result, Parsed):
        return accepted(result, facts, repaired=False)
    second = talk.ask_again(prompt, first, result)
    if second is not None:
        result = talk.understood(second, parse(second, facts))
    return accepted(result, facts, repaired=True) if isinstance(result, Parsed) else refused(result, held.signal.event_type)


class _Talk:
    """The calls to one model for one decision: each on record, all of them within one timeout, so within the lease."""

    def __init__(self, held: EvaluationClaim, model: EvaluationModel, client: ModelClient) -> None:
        self._held = held
        self._model = model
        self._client = client
        self._ends_at = time.monotonic() + min(model.timeout_ms / 1000, held.left_s)

    def ask(self, prompt: Prompt, *, repair: bool = False) -> Reply:
        """The reply. Raises the client's errors, the failed call on record."""
        call = ModelCall(
            decision_id=self._held.lease.decision_id,
            attempt=self._held.tries + 1,
            repair=repair,
            structured=self._model.structured,
            latency_ms=0,
        )
        self._held.calls.append(call)
        asked_at = time.monotonic()
        try:
            reply = self._client.ask(prompt, Limits(self._ends_at - asked_at, self._model.max_tokens, self._model.temperature))
        except LensError as error:
            call.outcome, call.error = error.code[:20], bounded(error.detail)
            call.request_id = bounded(str(error.facts.get("request_id", "")), 100)
            call.raw_text = bounded(error.raw) if isinstance(error, Unreadable) else ""
            raise
        finally:
            taken = time.monotonic() - asked_at
            call.latency_ms = round(taken * 1000)
            telemetry.evaluation_duration.labels(model=self._model.name).observe(taken)
        self._record(call, reply)
        return reply

    def ask_again(self, prompt: Prompt, reply: Reply, failure: Failure) -> Reply | None:
        """The reply to the one re-ask; None when it cannot help, there is no time for it, or it failed in its turn."""
        if not failure.repairable or self._ends_at - time.monotonic() < LEAST_FOR_REPAIR_S:
            return None
        try:
            return self.ask(prompt.repairing(reply.text, failure.detail), repair=True)
        except LensError:
            return None

    def understood(self, reply: Reply, result: Parsed | Failure) -> Parsed | Failure:
        """The parser's result, noted on the call it belongs to."""
        self._held.calls[-1].outcome = "ok" if isinstance(result, Parsed) else result.status
        return result

    def _record(self, call: ModelCall, reply: Reply) -> None:
        call.raw_text = bounded(reply.refusal or reply.text)
        call.finish_reason = bounded(reply.finish_reason, 30)
        call.model_version = bounded(reply.model_version, 100)
        call.request_id = bounded(reply.request_id, 100)
        call.tokens_in, call.tokens_cached, call.tokens_out = reply.tokens_in, reply.tokens_cached, reply.tokens_out
        for direction, tokens in (("in", reply.tokens_in), ("out", reply.tokens_out)):
            if tokens:
                telemetry.model_tokens.labels(model=self._model.name, direction=direction).inc(tokens)


def conclude(signal: Signal) -> Verdict | None:
    """Draw the verdict if it is due: everyone has answered or abstained, or time is up, and those still silent become `timeout`.

    The verdict this call drew; None when it is not due or another worker was first.
    """
    if signal.status != Status.ENRICHED:
        return None
    with transaction.atomic():
        lock(signal)
        seen = look(signal)
        if not seen.due:
            return None
        votes = _votes(seen)
        policy = settings.LENS.consensus
        drawn = consensus.decide(policy, signal.event_type, votes)
        details = {"decision": drawn.decision, "policy": policy, "reason": drawn.reason or None}
        if not advance(signal, Status.EVALUATED, details=details, evaluated_at=Now()):
            return None
        _give_up_on(seen)
        verdict = Verdict.objects.create(
            signal=signal,
            evaluation=signal.evaluation,
            policy=policy,
            policy_version=consensus.POLICY_VERSION,
            votes=[_shown(vote) for vote in votes],
            **asdict(drawn),
        )
    crashpoint("conclude.saved")
    return verdict


def _votes(seen: Round) -> list[Vote]:
    """One vote per expected model, in the panel's order; the silent ones have timed out."""
    rows = {row["model"]: row for row in seen.rows if row["status"]}
    late = Vote("", FALLBACK[seen.signal.event_type], None, DecisionStatus.TIMEOUT, fallback=True)
    return [
        Vote(**{name: rows[model][name] for name in ("model", "decision", "confidence", "status", "fallback")})
        if model in rows
        else replace(late, model=model)
        for model in seen.signal.expected or []
    ]


def _shown(vote: Vote) -> dict[str, Any]:
    return {"model": vote.model, "decision": vote.decision, "confidence": vote.confidence, "status": vote.status}


def _give_up_on(seen: Round) -> None:
    """Every decision still owed becomes a `timeout`; a worker that comes later finds its row taken."""
    signal = seen.signal
    ours = {"signal": signal, "evaluation": signal.evaluation}
    Decision.objects.bulk_create([Decision(**ours, model=model) for model in seen.missing], ignore_conflicts=True)
    late = failed(Permanent("timeout", "The time for answers was over."), signal.event_type)
    for model in [*seen.missing, *(row["model"] for row in seen.open_rows)]:
        meta = {**described(registered(model)), "status": late.status}
        owed = Decision.objects.filter(**ours, model=model, status="")
        if owed.update(**late.columns, model_meta=meta, lease_until=None, evaluated_at=Now()):
            note(signal, model, late)
            transaction.on_commit(partial(count, model, late.status), robust=True)
