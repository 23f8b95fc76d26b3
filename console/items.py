"""One row of a list, or one thing whole, as callers see it. A decision is shown as its frame shows it, by the same code."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings

from audit.models import DeadLetter
from console.health import Health
from core.clock import iso, iso_or_none, seconds
from core.money import plain_or_none
from evaluation.models import Decision, EvaluationModel, Verdict
from publishing.frames import Kind, Setting, decision_frame
from publishing.models import Frame
from signals.models import Signal, Source

# The verdict is drawn by a stage of its own; callers know it as part of the evaluation.
PUBLIC_STAGE = {"conclude": "evaluate", "webhook": "publish"}


class Place(NamedTuple):
    """Where and when a decision or a verdict went onto the stream, and the market it was told to be about."""

    epoch: str
    published_at: str
    market: str


Places = dict[tuple[UUID, int, str], Place]


def decisions(rows: list[Decision], *, rested: bool = False) -> list[dict[str, Any]]:
    """Settled decisions, their signals loaded; `rested` adds what each rests on. One query for all of them."""
    places = _places(Kind.DECISION, rows)
    return [
        {**_decision(row, places.get((row.signal_id, row.evaluation, row.model))), **(_rest(row) if rested else {})} for row in rows
    ]


def verdicts(rows: list[Verdict]) -> list[dict[str, Any]]:
    """Verdicts, their signals loaded, with the signals they are about. One query for all of them."""
    places = _places(Kind.VERDICT, rows)
    return [
        {
            "event_id": str(row.signal_id),
            "evaluation": row.evaluation,
            **_about(row.signal, places.get((row.signal_id, row.evaluation, ""))),
            **conclusion(row),
        }
        for row in rows
    ]


def conclusion(row: Verdict) -> dict[str, Any]:
    """What the judgements come to."""
    return {
        "id": str(row.pk),
        "decision": row.decision,
        "confidence": row.confidence,
        "fallback": row.fallback,
        "reason": row.reason or None,
        "policy": row.policy,
        "policy_version": row.policy_version,
        "votes": row.votes,
        "disagreement": row.disagreement,
        "evaluated_at": iso(row.evaluated_at),
    }


def letter(row: DeadLetter, *, whole: bool = False) -> dict[str, Any]:
    """A dead letter; `whole` adds what the work was and where it broke."""
    shown = {
        "id": str(row.pk),
        "event_id": None if row.event_id is None else str(row.event_id),
        "stage": PUBLIC_STAGE.get(row.stage, row.stage),
        "reason_code": row.reason_code,
        "error_type": row.error_type,
        "error_message": row.error_message,
        "fingerprint": row.fingerprint,
        "attempts": row.attempts,
        "retry_count": row.retry_count,
        "status": row.status,
        "created_at": iso(row.created_at),
        "last_retry_at": iso_or_none(row.last_retry_at),
        "resolved_at": iso_or_none(row.resolved_at),
        "resolved_by": row.resolved_by or None,
        "resolution_note": row.resolution_note or None,
    }
    if not whole:
        return shown
    acts = [{"status": act.status, "actor": act.actor, "note": act.note or None, "at": iso(act.at)} for act in row.acts.all()]
    return {**shown, "payload": row.payload, "traceback": row.traceback or None, "history": acts}


def judge(model: EvaluationModel, health: Health) -> dict[str, Any]:
    """A model of the registry. Its address and the name of its key stay inside."""
    return {
        "name": model.name,
        "vendor": model.vendor,
        "model_id": model.model_id,
        "prompt_version": model.prompt_version,
        "enabled": model.enabled,
        "timeout_ms": model.timeout_ms,
        "max_in_flight": model.max_in_flight,
        "calls_per_minute": model.calls_per_minute,
        "daily_budget_usd": plain_or_none(model.daily_budget_usd),
        "created_at": iso(model.created_at),
        "health": {
            "state": health.state,
            "breaker": health.breaker,
            "breaker_cause": health.breaker_cause or None,
            "spent_today_usd": plain_or_none(health.spent_today_usd),
            "reserved_usd": plain_or_none(health.reserved_usd),
            "answers": health.answers,
            "usable": health.usable,
            "last_answer_at": iso_or_none(health.last_answer_at),
            "last_usable_at": iso_or_none(health.last_usable_at),
            "median_latency_ms": health.median_latency_ms,
        },
    }


def sender(row: Source) -> dict[str, Any]:
    """A source, with `last_seen_at` annotated."""
    return {
        "name": row.name,
        "paused": row.paused,
        "limits": {name: getattr(row, name) for name in ("max_age_s", "max_future_s", "max_drift_bps", "max_drift_atr")},
        "close_fallback": row.close_fallback,
        "first_seen_at": iso(row.first_seen_at),
        "last_seen_at": iso_or_none(getattr(row, "last_seen_at", None)),
    }


def _decision(row: Decision, place: Place | None) -> dict[str, Any]:
    setting = Setting(_market(place), seconds(settings.LENS.decision_ttl_s))
    frame = decision_frame(row.signal, row, setting).model_dump(mode="json", exclude={"type"})
    return {
        "id": str(row.pk),
        **frame,
        "evaluation": row.evaluation,
        "epoch": place and place.epoch,
        "evaluated_at": iso_or_none(row.evaluated_at),
        "published_at": place and place.published_at,
    }


def _rest(row: Decision) -> dict[str, Any]:
    return {
        "prompt_version": row.prompt_version,
        "prompt_hash": row.prompt_hash,
        "payload_hash": row.payload_hash,
        "schema_hash": row.schema_hash,
        "ungrounded_ratio": row.ungrounded_ratio,
        "carried_from": row.carried_from and str(row.carried_from),
        "model_meta": row.model_meta,
    }


def _about(signal: Signal, place: Place | None) -> dict[str, Any]:
    return {"symbol": signal.symbol, "event_type": signal.event_type, "source": signal.source, "market": _market(place)}


def _market(place: Place | None) -> str:
    """The market a frame named stays that of its decision; the setting is for what nobody was told of."""
    return place.market if place else settings.LENS.market


def _places(kind: Kind, rows: Sequence[Decision | Verdict]) -> Places:
    """(event, round, model) → its place; a verdict's model is empty."""
    frames = Frame.objects.filter(event_id__in={row.signal_id for row in rows}, kind=kind)
    columns = frames.values_list("event_id", "evaluation", "model", "epoch", "payload__published_at", "payload__market")
    return {(event_id, evaluation, model): Place(*place) for event_id, evaluation, model, *place in columns}
