"""`manage.py verify_decision`: recompute decisions from what is stored, and name the first part that differs."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from core.clock import parse_zoned
from core.commands import REFUSED, SOME_FAILED, HouseCommand
from evaluation.models import Decision
from evaluation.verification import verify

CHUNK = 200


class Command(HouseCommand):
    """Reads only. Exit 1 when a decision is not what was stored for it."""

    help = "Recompute one decision, or all, from payload, instructions, schema, answer, parser and guard."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("id", nargs="?", type=UUID, help="one decision")
        parser.add_argument("--all", action="store_true", help="every settled decision")
        parser.add_argument("--since", help="RFC 3339 with a zone; with --all: only those evaluated since then")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = _chosen(options)
        number = chosen.count()
        if not number and options["id"]:
            raise CommandError("There is no such settled decision.", returncode=REFUSED)
        rows: Iterable[Decision] = self.shown(chosen.iterator(CHUNK), number, "decisions")
        found = [(row, difference) for row in rows if (difference := verify(row)) is not None]
        failed = [{"id": str(row.pk), "part": difference.part, "detail": difference.detail} for row, difference in found]
        lines = [f"{one['id']}  {one['part']}: {one['detail']}" for one in failed]
        text = "\n".join([*lines, f"{number - len(failed)} of {number} decisions are what they were."])
        self.answer(options, {"checked": number, "failed": failed}, text)
        if failed:
            raise CommandError("Some decisions cannot be recomputed.", returncode=SOME_FAILED)


def _chosen(options: dict[str, Any]) -> Any:
    """The decisions meant. Raises CommandError when none are named, or both ways."""
    if bool(options["id"]) == options["all"]:
        raise CommandError("Name one decision, or say --all.", returncode=REFUSED)
    settled = Decision.objects.exclude(status="").select_related("signal").order_by("evaluated_at")
    if options["id"]:
        return settled.filter(pk=options["id"])
    if options["since"] is None:
        return settled
    try:
        return settled.filter(evaluated_at__gte=parse_zoned(options["since"]))
    except ValueError as error:
        raise CommandError(f"--since: {error}", returncode=REFUSED) from error
