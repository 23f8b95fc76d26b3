"""`manage.py resolve_dlq`: close dead letters for good, as resolved by other means or as discarded."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.models import DeadLetter
from console import letters
from console.management.selecting import add_filters, counted, selected
from core.commands import REFUSED, SOME_FAILED, HouseCommand


class Command(HouseCommand):
    """Signals that are still dead end failed; the note says why, for whoever asks later."""

    help = "Resolve or discard dead letters, oldest first. Without a filter nothing is selected."
    changes = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_filters(parser)
        parser.add_argument("--discard", action="store_true", help="nothing will come of them (default: seen to by other means)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["note"].strip():
            raise CommandError("Say why: --note.", returncode=REFUSED)
        to = DeadLetter.Status.DISCARDED if options["discard"] else DeadLetter.Status.RESOLVED
        selection = selected(options)
        counts = letters.preview(selection)
        ids = selection.oldest(options["limit"])
        self.stderr.write(counted(counts))
        done: list[bool] = []
        if ids and self.may(options, f"Close {len(ids)} letters as {to}? Their signals end failed."):
            work = (letters.settle(pk, to, "resolve_dlq", options["note"]) for pk in ids)
            done = list(self.shown(work, len(ids), "letters"))
        facts = {"dry_run": options["dry_run"], "selected": len(ids), "counts": counts, to: sum(done)}
        self.answer(options, facts, f"{sum(done)} of {len(ids)} letters {to}.")
        if len(done) > sum(done):
            raise CommandError("Some letters were closed already.", returncode=SOME_FAILED)
