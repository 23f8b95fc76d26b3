"""A signal as callers see it, put together from every storey. Shapes are docs/openapi.yaml's."""

from typing import Any

from django.db.models import QuerySet

from audit import selectors as ledger
from console import items
from core.clock import iso, iso_or_none, now
from core.money import plain, plain_or_none
from enrichment import selectors as enrichments
from enrichment.models import Enrichment
from evaluation.models import Decision, Verdict
from publishing import receipts
from signals.models import Signal, Status

STAGES = {
    Status.QUEUED: "enrich",
    Status.ENRICHED: "evaluate",
    Status.EVALUATED: "publish",
    Status.PUBLISHED: "done",
    Status.REJECTED: "rejected",
    Status.DLQ: "dlq",
    Status.FAILED: "failed",
}
_TERMINAL = {Status.PUBLISHED: "published", Status.REJECTED: "rejected", Status.DLQ: "dlq", Status.FAILED: "failed"}


def standing(signal: Signal) -> dict[str, Any]:
    """Status, stage and times; the duration stops when the signal does."""
    ended = _ended_at(signal)
    return {**_standing(signal), "duration_ms": round(((ended or now()) - signal.received_at).total_seconds() * 1000)}


def summary(signal: Signal) -> dict[str, Any]:
    """A signal in a list: its fields and where it stands."""
    return {
        **_standing(signal),
        **_fields(signal),
        "evaluation": signal.evaluation,
        "degraded": signal.degraded,
        "rejection": signal.rejection,
    }


def whole(signal: Signal, *, with_payload: bool = False) -> dict[str, Any]:
    """Everything known about a signal."""
    decisions: QuerySet[Decision] = signal.decisions.filter(evaluation=signal.evaluation).exclude(status="")
    verdict: Verdict | None = signal.verdicts.filter(evaluation=signal.evaluation).first()
    return {
        **standing(signal),
        **summary(signal),
        "metadata": signal.metadata,
        "timeline": [
            {"status": entry.status, "timestamp": iso(entry.timestamp), "details": entry.details}
            for entry in ledger.timeline(signal.pk)
        ],
        "enrichment": _enrichment(enrichments.for_signal(signal), with_payload),
        "decisions": items.decisions(list(decisions.order_by("evaluated_at", "id")), rested=True),
        "verdict": None if verdict is None else items.conclusion(verdict),
        "receipts": receipts.of_event(signal.pk),
    }


def _standing(signal: Signal) -> dict[str, Any]:
    return {
        "event_id": str(signal.pk),
        "status": signal.status,
        "current_stage": STAGES[Status(signal.status)],
        "received_at": iso(signal.received_at),
        "enriched_at": iso_or_none(signal.enriched_at),
        "evaluated_at": iso_or_none(signal.evaluated_at),
        "published_at": iso_or_none(signal.published_at),
    }


def _fields(signal: Signal) -> dict[str, Any]:
    return {
        "event_type": signal.event_type,
        "symbol": signal.symbol,
        "signal_direction": signal.signal_direction,
        "entry_price": plain(signal.entry_price),
        "size": plain(signal.size),
        "liquidation_price": plain_or_none(signal.liquidation_price),
        "ts_utc": iso(signal.ts_utc),
        "source": signal.source,
        "feature_profile": signal.feature_profile or None,
    }


def _enrichment(enrichment: Enrichment | None, with_payload: bool) -> dict[str, Any] | None:
    if enrichment is None:
        return None
    return {
        "profile": enrichment.profile,
        "provider": enrichment.provider,
        "quality_flags": enrichment.quality_flags,
        "quality_score": enrichment.quality_score,
        "enriched_at": iso(enrichment.enriched_at),
        "duration_ms": enrichment.duration_ms,
        "payload_bytes": enrichment.payload_bytes,
        "payload_hash": enrichment.payload_hash,
        **({"payload": enrichment.payload} if with_payload else {}),
    }


def _ended_at(signal: Signal) -> Any:
    if signal.status not in _TERMINAL:
        return None
    last = [entry.timestamp for entry in ledger.timeline(signal.pk) if entry.status == _TERMINAL[Status(signal.status)]]
    return last[-1] if last else signal.published_at
