"""`manage.py retry_dlq`: bring buried signals back to where they stood."""

import json
import sys
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from audit.models import DeadLetter
from core.clock import parse_zoned
from lens_project import pipeline


class Command(BaseCommand):
    """A frozen selection, shown before it is acted on."""

    help = "Retry dead letters. Without a filter nothing is selected."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--stage", help="enrich, conclude, publish, …")
        parser.add_argument("--reason", help="a reason code, such as provider_down")
        parser.add_argument("--since", help="RFC 3339 with a zone: letters written since then")
        parser.add_argument("--event", help="one signal's event id")
        parser.add_argument("--limit", type=int, default=50)
        parser.add_argument("--dry-run", action="store_true", help="only count, by stage and reason")
        parser.add_argument("--yes", action="store_true", help="do not ask; required when there is nobody to ask")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        letters = list(_selected(options)[: options["limit"]])
        counts = Counter(f"{letter.stage}/{letter.reason_code}" for letter in letters)
        for kind, number in sorted(counts.items()):
            self.stderr.write(f"{number:>6}  {kind}")
        requeued = 0 if options["dry_run"] or not self._agreed(len(letters), options) else _replayed(letters)
        if options["json"]:
            self.stdout.write(json.dumps({"selected": dict(counts), "requeued": requeued, "dry_run": options["dry_run"]}))
        else:
            self.stdout.write(f"{requeued} of {len(letters)} signals are on their way again.")
        if not options["dry_run"] and requeued < len(letters):
            raise CommandError("Some letters were no longer open.", returncode=1)

    def _agreed(self, number: int, options: dict[str, Any]) -> bool:
        if options["yes"] or number == 0:
            return True
        if not sys.stdin.isatty():
            raise CommandError("Nobody to ask: say --yes, or --dry-run to look first.", returncode=2)
        return input(f"Retry {number} signals? [y/N] ").strip().lower() == "y"


def _selected(options: dict[str, Any]) -> QuerySet[DeadLetter]:
    """Open letters that match every filter given, oldest first. Raises CommandError without a filter or with a bad time."""
    wanted = {"stage": options["stage"], "reason_code": options["reason"], "event_id": options["event"]}
    filters: dict[str, Any] = {name: value for name, value in wanted.items() if value}
    if options["since"]:
        try:
            filters["created_at__gte"] = parse_zoned(options["since"])
        except ValueError as error:
            raise CommandError(f"--since: {error}", returncode=2) from error
    if not filters:
        raise CommandError("Name at least one of --stage, --reason, --since, --event.", returncode=2)
    return DeadLetter.objects.filter(status=DeadLetter.Status.OPEN, **filters).order_by("created_at")


def _replayed(letters: list[DeadLetter]) -> int:
    return sum(pipeline.replay(letter, "retry_dlq") for letter in letters)
