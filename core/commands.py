"""What the commands for people share: one way to answer, to ask before acting, and to show that something takes its time.

Answers go to standard output, as text or with `--json` as one JSON document; everything else goes to standard error. Exit codes:
0 ok, 1 some of it failed, 2 usage or refused, 4 a dependency is down.
"""

import json
import sys
from collections.abc import Iterable
from typing import Any, TypeVar

from django.core.management import execute_from_command_line
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError
from tqdm import tqdm

SOME_FAILED, REFUSED, DOWN = 1, 2, 4

T = TypeVar("T")


def main(argv: list[str]) -> None:
    """Run the command that was typed. Without a database any command, Django's own too, ends with one sentence and DOWN."""
    try:
        execute_from_command_line(argv)
    except (OperationalError, InterfaceError) as error:
        sys.stderr.write(f"The database does not answer: {str(error).strip()}\n")
        sys.exit(DOWN)


class HouseCommand(BaseCommand):
    """`--json` for all; `--dry-run` and `--yes` for those that change something (`changes = True`)."""

    changes = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="answer with JSON on standard output")
        if self.changes:
            parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
            parser.add_argument("--yes", action="store_true", help="do not ask; required when there is nobody to ask")

    def answer(self, options: dict[str, Any], facts: Any, text: str) -> None:
        """The one answer: facts for programs or a text for people."""
        self.stdout.write(json.dumps(facts) if options["json"] else text)

    def may(self, options: dict[str, Any], question: str) -> bool:
        """Whether to go on: `--yes`, or a person who says so. False on a dry run. Raises CommandError when nobody can be asked."""
        if options["dry_run"]:
            return False
        if options["yes"]:
            return True
        if not sys.stdin.isatty():
            raise CommandError("Nobody to ask: say --yes, or --dry-run to look first.", returncode=REFUSED)
        if input(f"{question} [y/N] ").strip().lower() != "y":
            raise CommandError("Nothing was done.", returncode=REFUSED)
        return True

    def shown(self, work: Iterable[T], total: int | None, unit: str) -> Iterable[T]:
        """The same work with a progress bar on standard error, where that is a terminal."""
        return tqdm(work, total=total, unit=f" {unit}", file=sys.stderr, disable=None, leave=False)
