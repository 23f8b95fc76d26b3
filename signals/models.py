"""What a source sent, and where the work on it stands.

The row is the outbox: `next_attempt_at` not null means something is owed, and the sweep will see to it. Status is moved only by
`signals.lifecycle.advance`.
"""

from decimal import Decimal
from ipaddress import ip_network

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Now

from core.ids import uuid7
from signals.hooks.rules import faults
from signals.hooks.sides import READINGS, Reading

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


class ExitWord(models.TextChoices):
    """What may stand for a judgement of an exit when there is none."""

    FOLLOW_EXIT = "FOLLOW_EXIT"
    HOLD = "HOLD"
    TIGHTEN_STOP = "TIGHTEN_STOP"


class Source(models.Model):
    """A sender, registered with its first accepted signal."""

    name = models.CharField(max_length=100, primary_key=True)
    paused = models.BooleanField(default=False)
    max_age_s = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Older signals end rejected; empty: LENS_MAX_SIGNAL_AGE_S.",
    )
    max_future_s = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Signals further ahead end rejected; empty: LENS_MAX_FUTURE_S.",
    )
    max_drift_bps = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(10_000)],
        help_text="OPEN signals whose price has moved further end rejected; empty: LENS_MAX_DRIFT_BPS.",
    )
    max_drift_atr = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="The same in average true ranges of an hour; empty: not judged.",
    )
    close_fallback = models.CharField(
        max_length=12,
        choices=ExitWord.choices,
        default=ExitWord.FOLLOW_EXIT,
        db_default=ExitWord.FOLLOW_EXIT,
        help_text="What executors hear of a CLOSE signal that nobody judged. An OPEN is always IGNORE then.",
    )
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
    degraded = models.BooleanField(default=False, db_default=False)
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
            models.Index(fields=["-received_at"], name="signal_degraded", condition=models.Q(degraded=True)),
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


def check_mapping(value: object) -> None:
    """A field validator: every fault of a mapping at once."""
    if found := faults(value):
        raise ValidationError(found)


def check_networks(value: list[str]) -> None:
    """A field validator: each entry is an address or a CIDR block without host bits."""
    for text in value:
        try:
            ip_network(text)
        except ValueError as error:
            raise ValidationError(f"{text} is not a network: {error}") from error


class HookSource(models.Model):
    """A sender that cannot set headers: a secret address, and how its messages are read. Its name is the source of its signals."""

    KINDS = [("tradingview", "TradingView"), ("generic", "Generic")]

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100, unique=True, validators=[RegexValidator(r"^[A-Za-z0-9_.:/-]+\Z")])
    kind = models.CharField(max_length=11, choices=KINDS, default="tradingview")
    enabled = models.BooleanField(default=True)
    prefix = models.CharField(max_length=8, unique=True, editable=False)
    token_hash = models.CharField(max_length=64, editable=False)
    mapping = models.JSONField(
        default=dict, blank=True, validators=[check_mapping], help_text="field → path, template, =constant or a list."
    )
    reading = models.CharField(
        max_length=10, choices=READINGS, default=Reading.POSITION.value, help_text="How buy and sell are read without a position."
    )
    default_size = models.DecimalField(
        max_digits=DIGITS, decimal_places=DECIMALS, null=True, blank=True, validators=[MinValueValidator(Decimal("0.00000001"))]
    )
    liquidation_distance_pct = models.DecimalField(
        max_digits=7,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.0001")), MaxValueValidator(Decimal("99.9999"))],
        help_text="Percent of the entry price, used when a message holds no liquidation price.",
    )
    use_arrival_time = models.BooleanField(
        default=False, help_text="Where a message holds no time. Repeats within a minute are one signal."
    )
    allowed_networks = ArrayField(
        models.CharField(max_length=50),
        default=list,
        blank=True,
        validators=[check_networks],
        help_text="Addresses or CIDR blocks, separated by commas; empty: any.",
    )
    expected_every_s = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Silent when nothing was heard for so many seconds."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_heard_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})"


class RejectedInput(models.Model):
    """A hook's message that was refused, with a hint for its author. The newest few hundred of each hook are kept."""

    hook = models.ForeignKey(HookSource, on_delete=models.CASCADE, related_name="rejected")
    received_at = models.DateTimeField(db_default=Now())
    content_type = models.CharField(max_length=100, blank=True)
    hint = models.TextField()
    body = models.TextField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.hook.name} {self.pk}"
