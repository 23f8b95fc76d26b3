"""The frozen market beside a signal."""

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models.functions import Now

from signals.models import Signal


class Enrichment(models.Model):
    """What was true when the signal was judged. Written once, never changed.

    `payload` is the canonical JSON text exactly as models read it; `payload_hash` is its SHA-256. `series` holds the newest bars of
    the shortest timeframe behind it, for people (`series.py`); empty when that timeframe could not be had.
    """

    signal = models.ForeignKey(Signal, on_delete=models.PROTECT, related_name="enrichments")
    evaluation = models.IntegerField(default=0)
    profile = models.CharField(max_length=50)
    provider = models.CharField(max_length=30)
    payload = models.TextField()
    payload_hash = models.CharField(max_length=64)
    series = models.TextField(blank=True, db_default="")
    quality_flags = models.JSONField()
    quality_score = models.FloatField(null=True)
    provenance = models.JSONField(default=dict)
    duration_ms = models.IntegerField()
    enriched_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["signal", "evaluation"], name="enrichment_once")]
        # Few values, so a small index; it finds a profile that is rare, or nobody's, without reading the payloads it passes.
        indexes = [models.Index(fields=["provider", "profile"], name="enrichment_kind")]

    def __str__(self) -> str:
        return f"{self.profile} {self.payload_hash[:12]}"

    @property
    def payload_bytes(self) -> int:
        """The payload's length as models receive it, in UTF-8."""
        return len(self.payload.encode())


class OpenInterest(models.Model):
    """One coin's open interest as the venue told it at `at`, in coins. The venue keeps no history of it, so this is ours."""

    market = models.CharField(max_length=30)
    coin = models.CharField(max_length=50)
    at = models.DateTimeField(db_default=TransactionNow())
    contracts = models.DecimalField(max_digits=38, decimal_places=10)

    class Meta:
        # Serves both questions: a coin's value some time ago, a few minutes wide, and what has become too old.
        constraints = [models.UniqueConstraint(fields=["at", "market", "coin"], name="open_interest_once")]

    def __str__(self) -> str:
        return f"{self.coin} {self.contracts} at {self.at:%Y-%m-%d %H:%M}"
