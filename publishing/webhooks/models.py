"""Destinations and what is owed to them. `position` is a destination's cursor in the log; a delivery names a frame by its seq."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from pydantic import ValidationError as BadFilter

from core.ids import uuid7
from publishing.operations import parse_filter

LONGEST_URL = 2_000


class EndpointState(models.TextChoices):
    """Paused by a person, or disabled by what the destination did; either way the cursor waits and nothing is lost."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


class DeliveryState(models.TextChoices):
    """Pending rows are owed; the others have come to an end: taken, given up by the schedule, or passed over by a person."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    SKIPPED = "skipped"


def check_filter(value: object) -> None:
    """A field validator: the filter has the socket's grammar."""
    if not isinstance(value, dict):
        raise ValidationError('A filter is an object such as {"symbol": ["BTC"], "kind": ["verdict"]}.')
    try:
        parse_filter(value)
    except BadFilter as error:
        raise ValidationError([f"{item['loc'][0]}: {item['msg']}" for item in error.errors()]) from error


class WebhookEndpoint(models.Model):
    """One destination: where, what, signed with what, and how it has been doing. Its secret is derived, never stored."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100, unique=True)
    url = models.CharField(
        max_length=LONGEST_URL, help_text="https, or http where LENS_WEBHOOK_ALLOW_PRIVATE names the destination's network."
    )
    filter = models.JSONField(default=dict, blank=True, validators=[check_filter], help_text="As on the socket; {} is everything.")
    max_in_flight = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(16)],
        help_text="1 keeps the order of the stream while all goes well; more is faster, in any order.",
    )
    state = models.CharField(max_length=10, choices=EndpointState.choices, default=EndpointState.ACTIVE, editable=False)
    reason = models.CharField(max_length=300, blank=True, editable=False)
    state_since = models.DateTimeField(db_default=Now(), editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    salt = models.CharField(max_length=64, editable=False)
    fingerprint = models.CharField(max_length=64, editable=False)
    previous_salt = models.CharField(max_length=64, blank=True, editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)

    position = models.BigIntegerField(default=0, editable=False)
    last_seq = models.BigIntegerField(default=0, editable=False)
    held_by = models.UUIDField(null=True, editable=False)
    held_until = models.DateTimeField(null=True, editable=False)
    rests_until = models.DateTimeField(null=True, editable=False)
    failures = models.IntegerField(default=0, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    last_success_at = models.DateTimeField(null=True, editable=False)
    last_error = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class WebhookDelivery(models.Model):
    """One frame owed to one destination. `attempts` counts in the schedule under way; `history` holds every attempt ever made."""

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries")
    epoch = models.CharField(max_length=40)
    seq = models.BigIntegerField()
    prev_seq = models.BigIntegerField()
    event_id = models.UUIDField()
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    next_attempt_at = models.DateTimeField(null=True, db_default=Now())
    attempts = models.IntegerField(default=0)
    history = models.JSONField(default=list)
    letter = models.UUIDField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["endpoint", "epoch", "seq"], name="delivery_once")]
        indexes = [
            models.Index(fields=["endpoint", "next_attempt_at"], name="delivery_owed", condition=models.Q(state="pending")),
            models.Index(fields=["event_id"], name="delivery_event"),
            models.Index(fields=["ended_at"], name="delivery_ended", condition=models.Q(ended_at__isnull=False)),
            models.Index(fields=["state"], name="delivery_failed", condition=models.Q(state__in=["dead", "skipped"])),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint} {self.seq}"

    @property
    def message_id(self) -> str:
        """The `webhook-id`: the frame's place in the log, so it stays the same however often and for whatever reason it is sent."""
        return f"msg_{self.epoch}_{self.seq}"
