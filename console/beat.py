"""Appointments of the console."""

from celery import shared_task

from console.rollup import fold


@shared_task(name="console.beat.fold_hours")
def fold_hours() -> None:
    """Keep the models' hours up to date."""
    fold()
