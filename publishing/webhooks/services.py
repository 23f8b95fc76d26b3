"""What people do with endpoints and deliveries: begin, rotate, pause, resume, try, replay, send again; and what retention takes."""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Now

from audit.models import DeadLetter
from audit.services import mark_requeued
from core.clock import ZERO, iso, now
from core.ids import uuid7
from publishing import selectors
from publishing.webhooks.models import DeliveryState, EndpointState, WebhookDelivery, WebhookEndpoint
from publishing.webhooks.sending import Answer, client, post
from publishing.webhooks.signing import issue_secret, sign


@dataclass(frozen=True)
class Revival:
    """Who has deliveries sent again, why, and how much later they are due."""

    actor: str
    note: str = ""
    after: timedelta = ZERO


OVERLAP = timedelta(hours=24)
BATCH = 5_000


def begin(endpoint: WebhookEndpoint) -> str:
    """Prepare a new endpoint, not yet saved: it hears what is published from now on. Its secret's text, shown once."""
    endpoint.position = endpoint.last_seq = selectors.log().head
    return issue_secret(endpoint)


def rotate(endpoint: WebhookEndpoint, overlap: timedelta = OVERLAP) -> str:
    """A new secret; both sign during the overlap, so receivers can change over at leisure. None of it for a leaked one."""
    endpoint.previous_salt = endpoint.salt if overlap else ""
    endpoint.previous_until = now() + overlap if overlap else None
    text = issue_secret(endpoint)
    endpoint.save(update_fields=["salt", "fingerprint", "previous_salt", "previous_until"])
    return text


def pause(endpoint: WebhookEndpoint, by: str) -> bool:
    """No posts until it is resumed, and no alert if it was disabled; its place in the log is kept. False when it was paused."""
    others = WebhookEndpoint.objects.filter(pk=endpoint.pk).exclude(state=EndpointState.PAUSED)
    paused = others.update(
        state=EndpointState.PAUSED, reason=f"Paused by {by}."[:300], state_since=Now(), held_by=None, held_until=None
    )
    return bool(paused)


def resume(endpoint: WebhookEndpoint, *, skip: bool = False) -> bool:
    """Go on where it stood, or with `skip` from now. False when it was active."""
    with transaction.atomic():
        still = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint.pk).exclude(state=EndpointState.ACTIVE)
        found = still.first()
        if found is None:
            return False
        if skip:
            found.position = found.last_seq = selectors.log().head
            _owed(found).update(state=DeliveryState.SKIPPED, next_attempt_at=None, ended_at=Now())
        found.state, found.reason, found.state_since = EndpointState.ACTIVE.value, "", now()
        found.failures, found.failing_since, found.rests_until = 0, None, None
        found.save()
        # What waited for a schedule that ran while nobody tried is tried at once.
        _owed(found).update(next_attempt_at=Now())
    return True


def replay_missing(endpoint: WebhookEndpoint, since: int, by: Revival) -> int:
    """Whatever matches after `since`, is still kept and never arrived is owed again. How many rows that had ended are.

    The cursor goes back, and rows that exist are left as they are: what was delivered is not sent again.
    """
    with transaction.atomic():
        locked = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
        horizon = selectors.log().horizon
        if since < locked.position:
            locked.position = locked.last_seq = max(since, horizon)
            locked.save(update_fields=["position", "last_seq"])
        ended = [DeliveryState.DEAD, DeliveryState.SKIPPED]
        return revive(WebhookDelivery.objects.filter(endpoint=locked, state__in=ended, seq__gt=since), by)


def revive(deliveries: QuerySet[WebhookDelivery], by: Revival) -> int:
    """Send them again, from the beginning of the schedule and under the same `webhook-id`, delivered ones too."""
    ended = deliveries.exclude(state=DeliveryState.PENDING)
    letters = [letter for letter in ended.values_list("letter", flat=True) if letter is not None]
    revived = ended.update(state=DeliveryState.PENDING, attempts=0, next_attempt_at=Now() + Value(by.after), ended_at=None)
    for letter in letters:
        mark_requeued(letter, by.actor, by.note)
    return revived


def replay_letter(letter: DeadLetter, by: Revival) -> bool:
    """The delivery behind a dead letter is owed again. False when the letter is not open, or the delivery no longer dead."""
    with transaction.atomic():
        dead = WebhookDelivery.objects.filter(letter=letter.pk, state=DeliveryState.DEAD)
        return letter.status == DeadLetter.Status.OPEN and revive(dead, by) == 1


def try_out(endpoint: WebhookEndpoint) -> Answer:
    """One signed test post, now, whatever the endpoint's state; nothing is stored. Raises LensError. Up to 15 s."""
    body = json.dumps({"type": "test", "endpoint": endpoint.name, "ts": iso(now())})
    return asyncio.run(_post(endpoint, f"msg_test_{uuid7()}", body))


def expired(before: datetime) -> QuerySet[WebhookDelivery]:
    """Deliveries that came to their end before then and that nobody needs.

    One whose dead letter still waits for a person is kept: it is what a retry would send.
    """
    waiting = DeadLetter.objects.filter(pk=OuterRef("letter"), status=DeadLetter.Status.OPEN)
    return WebhookDelivery.objects.filter(ended_at__lt=before).exclude(Exists(waiting))


def prune(before: datetime) -> int:
    """Remove the oldest of the expired; returns how many. Call again while it returns BATCH."""
    old = expired(before).order_by("ended_at").values_list("pk", flat=True)[:BATCH]
    return WebhookDelivery.objects.filter(pk__in=list(old)).delete()[0]


def _owed(endpoint: WebhookEndpoint) -> QuerySet[WebhookDelivery]:
    return WebhookDelivery.objects.filter(endpoint=endpoint, state=DeliveryState.PENDING)


async def _post(endpoint: WebhookEndpoint, message_id: str, body: str) -> Answer:
    async with client(settings.LENS.webhook_allow_private) as through:
        return await post(through, endpoint.url, sign(endpoint, message_id, body, now()), body)
