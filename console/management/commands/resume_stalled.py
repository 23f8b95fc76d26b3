"""`manage.py resume_stalled`: one pass of the sweep by hand, for when beat and the workers' own sweeps are away."""

from typing import Any

from django.core.management.base import CommandError

from core.broker import queue_depths
from core.commands import DOWN, HouseCommand
from lens_project import pipeline
from signals.selectors import overdue


class Command(HouseCommand):
    """Sends what the rows say is owed; what is already on its way may get a second message, which does no harm."""

    help = "Send overdue work again, as the sweep does every second."
    changes = True

    def handle(self, *args: Any, **options: Any) -> None:
        waiting = overdue().count()
        if queue_depths() is None:
            raise CommandError(f"The broker does not answer; {waiting} signals wait and are kept.", returncode=DOWN)
        looked = 0
        if waiting and self.may(options, f"Send the overdue work of {waiting} signals?"):
            looked = pipeline.sweep_once()
        facts = {"overdue": waiting, "looked_at": looked, "dry_run": options["dry_run"]}
        self.answer(options, facts, f"{looked} of {waiting} overdue signals were seen to.")
