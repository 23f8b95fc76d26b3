"""What a source sent, and where the work on it stands.

The row is the outbox: `next_attempt_at` not null means something is owed, and the sweep will see to it. Status is moved only by
`signals.lifecycle.advance`.
"""

from django.db import models
from django.db.models.functions import Now

from core.ids import uuid7

DIGITS, DECIMALS = 30, 8


class Status(models.TextChoices):
    """The life of a signal; the moves between them are in `signals/lifecycle.py`."""

    QUEUED = "queued"
    ENRICHED = "enriched"
    EVALUATED = "evaluated"
    PUBLISHED = "published"
    REJECTED = "rejected"
    DLQ = "dlq"
    FAILED = "failed"


class EventType(models.TextChoices):
    """Whether the source wants in or out."""

    OPEN = "OPEN_SIGNAL"
    CLOSE = "CLOSE_SIGNAL"


class Direction(models.TextChoices):
    """Must agree with the event type: long and short open, close_* close."""

    LONG = "long"
    SHORT = "short"
    CLOSE_LONG = "close_long"
    CLOSE_SHORT = "close_short"


class Source(models.Model):
    """A sender, registered with its first accepted signal."""

    name = models.CharField(max_length=100, primary_key=True)
    paused = models.BooleanField(default=False)
    first_seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Signal(models.Model):
    """One accepted signal. `received_at` and every lease are the database's clock."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event_type = models.CharField(max_length=12, choices=EventType.choices)
    symbol = models.CharField(max_length=32)
    signal_direction = models.CharField(max_length=12, choices=Direction.choices)
    entry_price = models.DecimalField(max_digits=DIGITS, decimal_places=DECIMALS)
    size = models.DecimalField(max_digits=DIGITS, decimal_places=DECIMALS)
    liquidation_price = models.DecimalField(max_digits=DIGITS, decimal_places=DECIMALS, null=True)
    ts_utc = models.DateTimeField()
    source = models.CharField(max_length=100)
    feature_profile = models.CharField(max_length=50, blank=True)
    metadata = models.JSONField(default=dict)

    caller = models.CharField(max_length=60)
    idempotency_key = models.CharField(max_length=255, null=True)  # noqa: DJ001  NULL keeps keyless signals out of the constraint
    fingerprint = models.CharField(max_length=64)

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    evaluation = models.IntegerField(default=0)
    expected = models.JSONField(null=True)
    rejection = models.JSONField(null=True)
    buried_from = models.CharField(max_length=10, blank=True)
    received_at = models.DateTimeField(db_default=Now())
    enriched_at = models.DateTimeField(null=True)
    evaluated_at = models.DateTimeField(null=True)
    published_at = models.DateTimeField(null=True)

    next_attempt_at = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    claims = models.IntegerField(default=0)
    attempts = models.IntegerField(default=0)
    dispatches = models.IntegerField(default=0)

    class Meta:
        ordering = ["-received_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["caller", "idempotency_key"], name="signal_idempotency")]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="signal_owed", condition=models.Q(next_attempt_at__isnull=False)),
            models.Index(fields=["-received_at", "-id"], name="signal_newest"),
            models.Index(fields=["symbol", "-received_at"], name="signal_symbol"),
            models.Index(fields=["source", "-received_at"], name="signal_source"),
            models.Index(fields=["status", "-received_at"], name="signal_status"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.signal_direction} {self.id}"

    @property
    def opens(self) -> bool:
        """Whether this signal asks to enter a position."""
        return self.event_type == EventType.OPEN

    @property
    def long(self) -> bool:
        """Whether the position in question is a long one."""
        return self.signal_direction in (Direction.LONG, Direction.CLOSE_LONG)


class Pulse(models.Model):
    """When a process of a kind was last alive, by the database's clock: what `/ready` and the sweep's age rest on."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField(db_default=Now())
    details = models.JSONField(default=dict)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
