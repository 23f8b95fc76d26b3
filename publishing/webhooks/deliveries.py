"""From the log to what is owed: a courier holds endpoints, moves their cursors on, and takes what is due, oldest first.

An endpoint is held by one courier at a time, under a lease it keeps renewing. A courier that is killed loses the lease and nothing
else: what it was sending is still owed, and is sent again under the same `webhook-id`.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, Q
from django.db.models.functions import Now

from core.clock import now
from publishing import selectors
from publishing.operations import parse_filter
from publishing.subscriptions import Filter
from publishing.webhooks.models import DeliveryState, EndpointState, WebhookDelivery, WebhookEndpoint

LEASE = timedelta(seconds=6)
PAGE = 100
# The log itself is the queue; rows are made for what can be tried soon. What failed and waits for its schedule holds up no others,
# for a destination may refuse some frames and take the rest. A dead one must not copy the log: hence a bound on both together.
BACKLOG = 1_000
MOST_OWED = 10_000

# Who has something to do, in one statement, for it is asked every second.
_BUSY = """
SELECT endpoint.id, (endpoint.rests_until IS NULL OR endpoint.rests_until <= now())
       AND (endpoint.position <> head.last_seq OR EXISTS (
           SELECT 1 FROM publishing_webhookdelivery delivery
            WHERE delivery.endpoint_id = endpoint.id AND delivery.state = 'pending' AND delivery.next_attempt_at <= now()))
  FROM publishing_webhookendpoint endpoint, publishing_streamhead head
 WHERE endpoint.held_by = %(courier)s AND endpoint.state = 'active'
"""


@dataclass(frozen=True)
class Load:
    """What one endpoint is owed now, oldest first."""

    endpoint: WebhookEndpoint
    due: list[WebhookDelivery]


def hold(courier: UUID) -> dict[UUID, bool]:
    """Renew this courier's leases and take what nobody holds. Its endpoints, and whether each has something to do."""
    mine = Q(held_by=courier, held_until__lt=Now() + LEASE / 2)
    free = Q(held_until__isnull=True) | Q(held_until__lt=Now())
    active = WebhookEndpoint.objects.filter(mine | free, state=EndpointState.ACTIVE)
    active.update(held_by=courier, held_until=Now() + LEASE)
    with connection.cursor() as cursor:
        cursor.execute(_BUSY, {"courier": courier})
        return dict(cursor.fetchall())


def release(courier: UUID) -> None:
    """Anybody may hold them at once."""
    WebhookEndpoint.objects.filter(held_by=courier).update(held_by=None, held_until=None)


def load(courier: UUID, endpoint_id: UUID) -> Load | None:
    """The next few deliveries of an endpoint, its cursor moved on first. None when it is no longer this courier's to serve."""
    with transaction.atomic():
        held = WebhookEndpoint.objects.select_for_update(no_key=True).filter(
            Q(rests_until__isnull=True) | Q(rests_until__lte=Now()), pk=endpoint_id, held_by=courier, state=EndpointState.ACTIVE
        )
        endpoint = held.first()
        if endpoint is None:
            return None
        follow(endpoint)
    due = WebhookDelivery.objects.filter(endpoint=endpoint, state=DeliveryState.PENDING, next_attempt_at__lte=Now())
    return Load(endpoint, list(due.order_by("seq")[:PAGE]))


def text(delivery: WebhookDelivery) -> str | None:
    """The frame as of now, for whether advice is stale depends on the hour. None when retention has taken it."""
    frames = selectors.read(delivery.seq - 1, 1, until=delivery.seq).frames
    if not frames or frames[0].epoch != delivery.epoch:
        return None
    return frames[0].render(delivery.prev_seq, snapshot=False, now=now())


def follow(endpoint: WebhookEndpoint) -> None:
    """Move the cursor on: a row for every frame that matches, chained as on the socket. The caller holds the endpoint's row."""
    room = _room(endpoint)
    if room <= 0:
        return
    reading = selectors.read(endpoint.position, min(room, PAGE), Filter.of(parse_filter(endpoint.filter), frozenset()))
    log = reading.log
    if not log.horizon <= endpoint.position <= log.head:
        _start_again(
            endpoint, log.horizon, f"The log no longer held what follows {endpoint.position}; it went on after {log.horizon}."
        )
        return
    rows = []
    for frame in reading.frames:
        event_id = json.loads(frame.rest)["event_id"]
        rows.append(
            WebhookDelivery(endpoint=endpoint, epoch=frame.epoch, seq=frame.seq, prev_seq=endpoint.last_seq, event_id=event_id)
        )
        endpoint.last_seq = frame.seq
    WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    endpoint.position = rows[-1].seq if len(rows) == min(room, PAGE) else log.head
    endpoint.save(update_fields=["position", "last_seq"])


def _room(endpoint: WebhookEndpoint) -> int:
    """For how many more frames rows may be made now."""
    owed = WebhookDelivery.objects.filter(endpoint=endpoint, state=DeliveryState.PENDING)
    counts: dict[str, int] = owed.aggregate(untried=Count("pk", filter=Q(attempts=0)), together=Count("pk"))
    return min(BACKLOG - counts["untried"], MOST_OWED - counts["together"])


def _start_again(endpoint: WebhookEndpoint, horizon: int, why: str) -> None:
    """The chain of `prev_seq` breaks, which tells the receiver; the reason tells the people here."""
    endpoint.position = endpoint.last_seq = horizon
    endpoint.reason = why
    endpoint.save(update_fields=["position", "last_seq", "reason"])
