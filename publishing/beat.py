"""The stream's appointment."""

from celery import shared_task

from publishing import retention


@shared_task(name="publishing.beat.prune_stream")
def prune_stream() -> None:
    """Let go of frames that are older than they need be kept."""
    retention.prune(retention.expiry())
