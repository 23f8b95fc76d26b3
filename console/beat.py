"""Appointments of the console."""

from celery import shared_task

from console import retention
from console.rollup import fold


@shared_task(name="console.beat.fold_hours")
def fold_hours() -> None:
    """Keep the models' hours up to date."""
    fold()


@shared_task(name="console.beat.prune", ignore_result=False)
def prune() -> None:
    """Remove what is older than its keep. It has no row of its own to tell how it ended: its result is kept for a day."""
    retention.prune_all()
