"""Timeline and dead letters. Rows name an event by id alone, so they outlive whatever they speak of."""

from django.db import models
from django.db.models.functions import Now

from core.ids import uuid7


class TimelineEntry(models.Model):
    """One thing that happened to one signal. Written in the transaction that made it happen."""

    event_id = models.UUIDField()
    status = models.CharField(max_length=20)
    timestamp = models.DateTimeField(db_default=Now())
    details = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "timeline"
        ordering = ["id"]
        indexes = [models.Index(fields=["event_id", "id"], name="timeline_event")]

    def __str__(self) -> str:
        return f"{self.event_id} {self.status}"


class DeadLetter(models.Model):
    """Work that was given up, with its real cause."""

    class Status(models.TextChoices):
        """Open letters wait for a person; requeued ones for their signal to arrive."""

        OPEN = "open"
        REQUEUED = "requeued"
        RESOLVED = "resolved"
        DISCARDED = "discarded"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event_id = models.UUIDField(null=True)
    stage = models.CharField(max_length=20)
    reason_code = models.CharField(max_length=50)
    error_type = models.CharField(max_length=200)
    error_message = models.TextField()
    # The same for letters of one cause: where it broke and how, without what it broke on.
    fingerprint = models.CharField(max_length=16, blank=True)
    traceback = models.TextField(blank=True)
    payload = models.JSONField(default=dict)
    attempts = models.IntegerField(default=0)
    retry_count = models.IntegerField(default=0)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    created_at = models.DateTimeField(db_default=Now())
    last_retry_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.CharField(max_length=150, blank=True)
    resolution_note = models.TextField(blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["-created_at"], name="dead_letter_newest"),
            models.Index(fields=["event_id"], name="dead_letter_event"),
            models.Index(fields=["stage", "reason_code"], name="dead_letter_open", condition=models.Q(status="open")),
            models.Index(fields=["fingerprint", "-created_at"], name="dead_letter_cause"),
            models.Index(fields=["reason_code", "-created_at"], name="dead_letter_reason"),
            # Most letters are closed: those that are not are found, newest first, without walking past them.
            models.Index(fields=["-created_at"], name="dead_letter_waiting", condition=models.Q(status__in=["open", "requeued"])),
        ]

    def __str__(self) -> str:
        return f"{self.stage}/{self.reason_code} {self.event_id}"


class LetterAct(models.Model):
    """What was done about a letter: who, when and why. Written in the transaction that did it."""

    letter = models.ForeignKey(DeadLetter, on_delete=models.CASCADE, related_name="acts")
    status = models.CharField(max_length=10, choices=DeadLetter.Status.choices)
    actor = models.CharField(max_length=150)
    note = models.TextField(blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.status} by {self.actor}"
