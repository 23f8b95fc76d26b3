"""The judges, what each of them answered, and what they answered together."""

import math
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from core.ids import uuid7
from evaluation.accounts import Budget, Price, Reservation, Scope, Spend
from evaluation.clients.hosts import HOMES, trusted
from evaluation.ports import Endpoint
from evaluation.prompting import versions
from signals.models import Signal

__all__ = [
    "Api",
    "Breaker",
    "Budget",
    "Decision",
    "DecisionStatus",
    "Effort",
    "EvaluationModel",
    "ModelCall",
    "Price",
    "Reservation",
    "Scope",
    "Spend",
    "Structured",
    "Text",
    "Vendor",
    "Verdict",
    "registry_faults",
]

_NOT_NEGATIVE = MinValueValidator(0)
_KEY_ENV = re.compile(r"[A-Z0-9_]+_API_KEY")


class Vendor(models.TextChoices):
    """Who speaks: one client file each in `evaluation/clients`."""

    BASELINE = "baseline"
    OPENAI = "openai"
    GOOGLE = "google"
    ANTHROPIC = "anthropic"
    OPENAI_COMPATIBLE = "openai_compatible"


class Structured(models.TextChoices):
    """How firmly a model can be held to a schema: the rungs of the ladder, the firmest first."""

    STRICT_SCHEMA = "strict_schema", "Strict schema"
    JSON_SCHEMA = "json_schema", "Schema, not strict"
    JSON_OBJECT = "json_object", "JSON, schema in words"
    PROMPT_ONLY = "prompt_only", "Text, schema in words"


class Api(models.TextChoices):
    """Which of OpenAI's two interfaces is spoken; other vendors have one."""

    CHAT = "chat", "Chat completions"
    RESPONSES = "responses", "Responses"


class Effort(models.TextChoices):
    """How long a reasoning model may think before it answers; what it thinks counts against its tokens."""

    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class EvaluationModel(models.Model):
    """A judge in the registry. The key itself is never stored, only the name of the variable that holds it."""

    name = models.SlugField(max_length=50, primary_key=True)
    vendor = models.CharField(max_length=20, choices=Vendor.choices)
    model_id = models.CharField(max_length=100)
    base_url = models.CharField(max_length=200, blank=True)
    key_env = models.CharField(max_length=100, blank=True)
    timeout_ms = models.PositiveIntegerField(default=20_000, validators=[MinValueValidator(100), MaxValueValidator(120_000)])
    max_tokens = models.PositiveIntegerField(default=1_000, validators=[MinValueValidator(50), MaxValueValidator(32_000)])
    temperature = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0), MaxValueValidator(2)])
    structured = models.CharField(max_length=20, choices=Structured.choices, default=Structured.STRICT_SCHEMA)
    api = models.CharField(max_length=10, choices=Api.choices, default=Api.CHAT)
    effort = models.CharField(max_length=10, choices=Effort.choices, blank=True)
    prompt_version = models.CharField(max_length=50, default="core_v1")
    max_in_flight = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    calls_per_minute = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    daily_budget_usd = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True, validators=[_NOT_NEGATIVE])
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def endpoint(self) -> Endpoint:
        """Where and how this model is spoken to."""
        return Endpoint(self.model_id, self.base_url, self.key_env, self.structured, self.api, self.effort)

    def clean(self) -> None:
        """What fields alone cannot say: the address is plain http(s), the key's variable looks like one, the prompt exists."""
        faults = dict(registry_faults(self.vendor, self.base_url, self.key_env, self.prompt_version))
        if isinstance(self.temperature, float) and not math.isfinite(self.temperature):
            faults["temperature"] = "Use a finite number."
        if faults:
            raise ValidationError(faults)


def registry_faults(vendor: str, base_url: str, key_env: str, prompt_version: str) -> Iterator[tuple[str, str]]:
    """Field and fault of each thing that would keep a model from ever being asked."""
    yield from (("base_url", fault) for fault in _address_faults(vendor, base_url))
    if key_env and not _KEY_ENV.fullmatch(key_env):
        yield "key_env", "Name the variable that holds the key: capitals, digits and _, ending in _API_KEY."
    if vendor in HOMES and not key_env:
        yield "key_env", f"Name the variable that holds the key, for example {vendor.upper()}_API_KEY."
    if prompt_version not in versions():
        yield "prompt_version", f"There is no such prompt; there are {', '.join(versions())}."


def _address_faults(vendor: str, base_url: str) -> Iterator[str]:
    address = urlsplit(base_url)
    if base_url and (address.scheme not in {"http", "https"} or not address.hostname or "@" in address.netloc or address.query):
        yield "Use http:// or https://, a host and a path, without credentials or a query."
    elif vendor == Vendor.OPENAI_COMPATIBLE and not base_url:
        yield "A compatible vendor needs a base URL."
    elif (base_url or vendor in HOMES) and not trusted(base_url or HOMES[vendor], settings.LENS.model_hosts):
        yield f"LENS_MODEL_HOSTS does not allow {address.hostname or vendor}; it allows {', '.join(settings.LENS.model_hosts)}."


class DecisionStatus(models.TextChoices):
    """How the answer came about; everything but the first two carries the deterministic fallback."""

    OK = "ok"
    REPAIRED = "repaired"
    INVALID_JSON = "invalid_json"
    SCHEMA_ERROR = "schema_error"
    INCOHERENT = "incoherent"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    PROVIDER_ERROR = "provider_error"
    BREAKER_OPEN = "breaker_open"
    BUDGET_DENIED = "budget_denied"


class Decision(models.Model):
    """One model's judgement of one signal in one round: claimed with a lease before money is spent, settled once.

    `status` empty means it is still owed.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    signal = models.ForeignKey(Signal, on_delete=models.PROTECT, related_name="decisions")
    evaluation = models.IntegerField(default=0)
    model = models.CharField(max_length=50)
    status = models.CharField(max_length=20, choices=DecisionStatus.choices, blank=True)

    claimed_at = models.DateTimeField(db_default=Now())
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    claims = models.IntegerField(default=0)
    attempts = models.IntegerField(default=0)

    decision = models.CharField(max_length=20, blank=True)
    confidence = models.FloatField(null=True)
    fallback = models.BooleanField(default=False)
    reason = models.CharField(max_length=200, blank=True)
    answer = models.JSONField(default=dict)
    original = models.JSONField(default=dict)
    adjustments = models.JSONField(default=list)
    prompt_version = models.CharField(max_length=50, blank=True)
    prompt_hash = models.CharField(max_length=64, blank=True)
    payload_hash = models.CharField(max_length=64, blank=True)
    schema_hash = models.CharField(max_length=64, blank=True)
    model_meta = models.JSONField(default=dict)
    ungrounded_ratio = models.FloatField(null=True)
    carried_from = models.UUIDField(null=True)
    evaluated_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-evaluated_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["signal", "evaluation", "model"], name="decision_once")]
        indexes = [
            models.Index(fields=["-evaluated_at", "-id"], name="decision_newest"),
            # Failures are few: a list of them must not have to walk past everything that went well.
            models.Index(fields=["status", "-evaluated_at"], name="decision_failed", condition=~models.Q(status__in=["", "ok"])),
            models.Index(fields=["model", "-evaluated_at"], name="decision_model"),
            # For a word that is rare, or never said. Frequent ones are soon met among the newest.
            models.Index(fields=["decision"], name="decision_word", condition=models.Q(evaluated_at__isnull=False)),
            models.Index(fields=["-evaluated_at", "-id"], name="decision_sure", condition=models.Q(confidence__gte=0.9)),
        ]

    def __str__(self) -> str:
        return f"{self.model}: {self.decision or 'owed'}"


class ModelCall(models.Model):
    """One attempt at one answer, as it went over the wire: what was paid for, and the raw text.

    `raw_hash` is the text's SHA-256. `tokens_cached` is a part of `tokens_in`; `tokens_out` holds what the model thought as well as
    what it said.
    """

    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, related_name="calls", db_index=False)
    attempt = models.IntegerField()
    claim = models.IntegerField(default=1)
    repair = models.BooleanField(default=False)
    outcome = models.CharField(max_length=20)
    model_version = models.CharField(max_length=100, blank=True)
    request_id = models.CharField(max_length=100, blank=True)
    finish_reason = models.CharField(max_length=30, blank=True)
    latency_ms = models.IntegerField()
    tokens_in = models.IntegerField(null=True)
    tokens_cached = models.IntegerField(null=True)
    tokens_out = models.IntegerField(null=True)
    structured = models.CharField(max_length=20, blank=True)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=8, null=True)
    raw_text = models.TextField(blank=True)
    raw_hash = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    called_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        # Which call it was: the same one saved again, after a commit whose answer was lost, is the same row.
        constraints = [models.UniqueConstraint(fields=["decision", "attempt", "claim", "repair"], name="call_once")]

    def __str__(self) -> str:
        return f"call {self.attempt} {self.outcome}"


class Breaker(models.Model):
    """What a model's latest calls say about its vendor, across processes. No row: nothing ever failed.

    Closed while `opened_at` is null; open after it; `probing_until` is the lease of the one call that finds out whether to close.
    """

    model = models.CharField(max_length=50, primary_key=True)
    failures = models.IntegerField(default=0)
    opened_at = models.DateTimeField(null=True)
    probing_until = models.DateTimeField(null=True)
    cause = models.CharField(max_length=50, blank=True)

    class Meta:
        ordering = ["model"]

    def __str__(self) -> str:
        return f"{self.model}: {'open' if self.opened_at else 'closed'}"


class Text(models.Model):
    """A text that many decisions rest on, stored once under its SHA-256: instructions and schemas as models were given them."""

    hash = models.CharField(max_length=64, primary_key=True)
    text = models.TextField()
    first_used_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["first_used_at"]

    def __str__(self) -> str:
        return self.hash[:12]


class Verdict(models.Model):
    """What the judges' answers come to together, once per signal and round."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    signal = models.ForeignKey(Signal, on_delete=models.PROTECT, related_name="verdicts")
    evaluation = models.IntegerField(default=0)
    decision = models.CharField(max_length=20)
    confidence = models.FloatField(null=True)
    fallback = models.BooleanField(default=False)
    reason = models.CharField(max_length=200, blank=True)
    policy = models.CharField(max_length=20)
    policy_version = models.IntegerField(default=1)
    votes = models.JSONField()
    disagreement = models.FloatField()
    evaluated_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-evaluated_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["signal", "evaluation"], name="verdict_once")]
        indexes = [models.Index(fields=["-evaluated_at", "-id"], name="verdict_newest")]

    def __str__(self) -> str:
        return f"{self.decision} ({self.policy})"
