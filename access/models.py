"""Keys: hashed at rest, shown once, scoped, expiring."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from core.ids import uuid7


class Scope(models.TextChoices):
    """What a key may do."""

    SIGNALS_WRITE = "signals:write"
    EVENTS_READ = "events:read"
    DECISIONS_READ = "decisions:read"
    DLQ_WRITE = "dlq:write"
    ADMIN = "admin"


class ApiKey(models.Model):
    """`lens_<prefix>_<secret>`; only the SHA-256 of the whole is stored."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=8, unique=True)
    key_hash = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope.choices))
    allowed_sources = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    # Own limits; null follows the installation's, 0 turns that window off.
    rate_per_minute = models.PositiveIntegerField(null=True, blank=True)
    burst = models.PositiveIntegerField(null=True, blank=True)
    # The first key of a line of rotations: its successors are the same caller, with the same idempotency keys and limits.
    family = models.UUIDField(null=True, blank=True, editable=False)
    rotated_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"
