"""`manage.py retry_dlq`: bring buried signals back to where they stood."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from console import letters
from console.management.selecting import add_filters, counted, selected
from core.commands import SOME_FAILED, HouseCommand


class Command(HouseCommand):
    """A frozen selection, shown before it is acted on."""

    help = "Retry dead letters, oldest first. Without a filter nothing is selected."
    changes = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_filters(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        selection = selected(options)
        counts = letters.preview(selection)
        ids = selection.oldest(options["limit"])
        self.stderr.write(counted(counts))
        done: list[bool] = []
        if ids and self.may(options, f"Retry {len(ids)} signals?"):
            done = list(self.shown(letters.requeue(ids, "retry_dlq", options["note"]), len(ids), "letters"))
        facts = {
            "dry_run": options["dry_run"],
            "as_of": selection.as_of.isoformat(),
            "selected": len(ids),
            "counts": counts,
            "requeued": sum(done),
            "skipped": len(done) - sum(done),
        }
        self.answer(options, facts, f"{sum(done)} of {len(ids)} signals are on their way again.")
        if len(done) > sum(done):
            raise CommandError("Some letters were no longer open.", returncode=SOME_FAILED)
