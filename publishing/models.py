"""The stream is a table: a frame once committed is published, and its `seq` is its place for ever."""

from django.db import models
from django.db.models.functions import Now

from publishing.webhooks.models import WebhookDelivery, WebhookEndpoint

__all__ = ["Frame", "StreamHead", "WebhookDelivery", "WebhookEndpoint"]


class StreamHead(models.Model):
    """The log's identity and its newest seq: one row, locked last in every publishing transaction, so seq is visible in order."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    epoch = models.CharField(max_length=40)
    last_seq = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="stream_has_one_head")]

    def __str__(self) -> str:
        return f"{self.epoch}:{self.last_seq}"


class Frame(models.Model):
    """One frame of the decision stream. `payload` is the frame as sent, without what depends on the subscription or the hour."""

    seq = models.BigIntegerField(primary_key=True)
    epoch = models.CharField(max_length=40)
    kind = models.CharField(max_length=10)
    event_id = models.UUIDField()
    evaluation = models.IntegerField()
    model = models.CharField(max_length=50, blank=True)
    symbol = models.CharField(max_length=32)
    event_type = models.CharField(max_length=12)
    source = models.CharField(max_length=100)
    payload = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["event_id", "evaluation", "kind", "model"], name="frame_once")]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind} {self.model}"
