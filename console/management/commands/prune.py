"""`manage.py prune`: remove what is older than its keep, in chunks, and never what somebody still needs."""

from typing import Any

from django.core.management.base import CommandParser

from console import retention
from core.commands import HouseCommand


class Command(HouseCommand):
    """What beat does every hour, by hand: for some tables, or with another age."""

    help = "Remove old rows. Unsettled signals, those with an open dead letter, and those the stream still shows are kept."
    changes = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--days", type=float, help="older than this (default: LENS_RETENTION_DAYS; the stream has its own)")
        parser.add_argument("--table", action="append", choices=list(retention.OLD), help="only this one; may be repeated")

    def handle(self, *args: Any, **options: Any) -> None:
        before = retention.expiry(options["days"])
        tables = options["table"] or list(retention.OLD)
        old = {table: retention.OLD[table](before).count() for table in tables}
        for table, number in old.items():
            self.stderr.write(f"{number:>9}  {table}")
        removed = dict.fromkeys(tables, 0)
        if any(old.values()) and self.may(options, f"Remove {sum(old.values())} rows older than {before:%Y-%m-%d %H:%M} UTC?"):
            for table in tables:
                for number in self.shown(retention.prune(table, before), None, f"chunks of {table}"):
                    removed[table] += number
        facts = {"dry_run": options["dry_run"], "before": before.isoformat(), "old": old, "removed": removed}
        self.answer(options, facts, f"{sum(removed.values())} rows removed.")
