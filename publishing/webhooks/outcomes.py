"""What became of an attempt, stored in one transaction: delivered, owed again at a time, or given up with a dead letter.

Each write asks first whether the row is still as it was taken, so of two couriers that sent the same parcel one is counted.
"""

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Coalesce, Greatest, Now

from audit.models import DeadLetter
from audit.services import bury, close
from core import telemetry
from core.clock import iso, now
from core.errors import LensError, Permanent, Transient
from core.retry import Policy, Retry, decide
from publishing.webhooks.models import DeliveryState, EndpointState, WebhookDelivery, WebhookEndpoint
from publishing.webhooks.sending import Answer

logger = logging.getLogger(__name__)

STAGE = "webhook"
HOUR = 3_600
# After the first attempt: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h.
SCHEDULE = Policy((5, 300, 1_800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR), spread=0.05, longest_s=10 * HOUR, at_least=True)
# Replays begin the schedule anew; what is remembered of it stays readable.
LONGEST_HISTORY = 40


def delivered(delivery: WebhookDelivery, answer: Answer) -> None:
    """It was taken: the row has come to its end, the endpoint is well."""
    history = _history(delivery, status=answer.status, duration_ms=answer.duration_ms, excerpt=answer.excerpt)
    with transaction.atomic():
        if not _end(delivery, DeliveryState.DELIVERED, history):
            return
        # A rest stays: another post in flight may have been told to wait.
        _endpoint(delivery).update(failures=0, failing_since=None, last_error="", last_success_at=Now())
        if delivery.letter is not None:
            note = f"Delivered to {delivery.endpoint.name} after a retry."
            close(delivery.letter, DeadLetter.Status.RESOLVED, actor="webhooks", note=note)
    _count("delivered", answer.duration_ms)


def failed(delivery: WebhookDelivery, error: LensError) -> None:
    """It was not: owed again, or given up; and what that means for the endpoint."""
    logger.warning("a webhook failed", extra={"endpoint": delivery.endpoint.name, "seq": delivery.seq, "code": error.code})
    with transaction.atomic():
        outcome = _settle(delivery, error)
        if outcome is not None:
            _weaken(delivery, error)
    if outcome is not None:
        _count(outcome, error.facts.get("duration_ms"))


def disable(endpoint_id: Any, reason: str) -> None:
    """No more posts until a person resumes it; the reason shows in the admin."""
    active = WebhookEndpoint.objects.filter(pk=endpoint_id, state=EndpointState.ACTIVE)
    if active.update(state=EndpointState.DISABLED, reason=reason, state_since=Now(), held_by=None, held_until=None):
        logger.error("a webhook endpoint was disabled", extra={"endpoint": str(endpoint_id), "reason": reason})


def _settle(delivery: WebhookDelivery, error: LensError) -> str | None:
    """The row's part; None when another courier was first."""
    facts = {name: value for name, value in error.facts.items() if name in ("status", "duration_ms", "excerpt")}
    history = _history(delivery, code=error.code, detail=error.detail, **facts)
    if error.code == "gone":
        # The endpoint is at fault, not this frame: it stays owed, its schedule untouched, for when the endpoint is resumed.
        return "failed" if _mine(delivery).update(history=history, next_attempt_at=Now()) else None
    match decide(error, delivery.attempts, SCHEDULE):
        case Retry(after):
            due = Now() + timedelta(seconds=after)
            moved = _mine(delivery).update(attempts=F("attempts") + 1, next_attempt_at=due, history=history)
            return "failed" if moved else None
        case _:
            return _give_up(delivery, error, history)


def _give_up(delivery: WebhookDelivery, error: LensError, history: list[dict[str, Any]]) -> str | None:
    if not _end(delivery, DeliveryState.DEAD, history):
        return None
    payload = {"endpoint": delivery.endpoint.name, "seq": delivery.seq, "delivery": delivery.pk, "history": history}
    letter = bury(delivery.event_id, STAGE, error, attempts=delivery.attempts + 1, payload=payload)
    WebhookDelivery.objects.filter(pk=delivery.pk).update(letter=letter.pk)
    return "dead"


def _weaken(delivery: WebhookDelivery, error: LensError) -> None:
    """The endpoint's part: its failures, its wish to be left alone, and the end of patience."""
    _endpoint(delivery).update(
        failures=F("failures") + 1,
        failing_since=Coalesce("failing_since", Now()),
        last_error=f"{error.code}: {error.detail}"[:300],
        **_rest(error),
    )
    if isinstance(error, Permanent) and error.code == "gone":
        disable(delivery.endpoint_id, error.detail)
        return
    patience = timedelta(days=settings.LENS.webhook_disable_after_days)
    hopeless = _endpoint(delivery).filter(failing_since__lte=Now() - patience)
    if delivery.attempts >= len(SCHEDULE.waits) and (found := hopeless.first()):
        disable(found.pk, f"Every attempt since {iso(found.failing_since or now())} failed; the last: {found.last_error}"[:300])


def _rest(error: LensError) -> dict[str, Any]:
    """A rest is lengthened and never shortened: of several posts in flight, each is told to wait for another time, or for none."""
    if not isinstance(error, Transient) or error.retry_after is None:
        return {}
    rest = timedelta(seconds=min(error.retry_after, SCHEDULE.longest_s))
    return {"rests_until": Greatest("rests_until", Now() + Value(rest))}


def _end(delivery: WebhookDelivery, state: DeliveryState, history: list[dict[str, Any]]) -> bool:
    moved = _mine(delivery).update(state=state, attempts=F("attempts") + 1, history=history, next_attempt_at=None, ended_at=Now())
    return bool(moved)


def _mine(delivery: WebhookDelivery) -> Any:
    return WebhookDelivery.objects.filter(pk=delivery.pk, state=DeliveryState.PENDING, attempts=delivery.attempts)


def _endpoint(delivery: WebhookDelivery) -> Any:
    return WebhookEndpoint.objects.filter(pk=delivery.endpoint_id)


def _history(delivery: WebhookDelivery, **entry: Any) -> list[dict[str, Any]]:
    return [*delivery.history, {"at": iso(now()), **entry}][-LONGEST_HISTORY:]


def _count(outcome: str, duration_ms: int | None) -> None:
    telemetry.webhook_deliveries.labels(outcome=outcome).inc()
    if duration_ms is not None:
        telemetry.webhook_duration.observe(duration_ms / 1000)
