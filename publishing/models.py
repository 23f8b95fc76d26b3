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


class Position(models.Model):
    """How far a durable consumer has come: its caller's, by the name it gave. Moved by acknowledgements, never back."""

    caller = models.CharField(max_length=100)
    name = models.CharField(max_length=100)
    epoch = models.CharField(max_length=40)
    seq = models.BigIntegerField()
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["caller", "name"]
        constraints = [models.UniqueConstraint(fields=["caller", "name"], name="position_once")]

    def __str__(self) -> str:
        return f"{self.name} at {self.seq}"


class Receipt(models.Model):
    """An executor's word on a decision. It outlives the frame; like the ledger it names what it speaks of by id."""

    event_id = models.UUIDField()
    decision_id = models.UUIDField()
    caller = models.CharField(max_length=100)
    name = models.CharField(max_length=100)
    state = models.CharField(max_length=10)
    reason = models.CharField(max_length=500, blank=True)
    client_order_id = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [models.UniqueConstraint(fields=["decision_id", "caller", "state"], name="receipt_once")]
        indexes = [models.Index(fields=["event_id"], name="receipt_event")]

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"
