"""`manage.py reevaluate`: have published signals judged again, in a new round."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from rest_framework.exceptions import ValidationError

from console import rounds
from console.letters import UnfilteredError
from console.queries import RoundsFilter
from core.commands import REFUSED, SOME_FAILED, HouseCommand

FILTERS = {"event": "event_id", "symbol": "symbol", "type": "event_type", "source": "source", "since": "since", "until": "until"}


class Command(HouseCommand):
    """A frozen selection and its likely cost, shown before money is spent."""

    help = "Judge published signals again, oldest first: the same frozen market, the models enabled now."
    changes = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--event", help="one signal's event id")
        parser.add_argument("--symbol")
        parser.add_argument("--type", help="OPEN_SIGNAL or CLOSE_SIGNAL")
        parser.add_argument("--source")
        parser.add_argument("--since", help="RFC 3339 with a zone: received since then")
        parser.add_argument("--until", help="RFC 3339 with a zone: received before then")
        parser.add_argument("--degraded", action="store_true", help="only those whose models all failed")
        parser.add_argument("--limit", type=int, default=50, help="at most so many (default: 50)")
        parser.add_argument("--note", default="", help="why; kept in the timeline")

    def handle(self, *args: Any, **options: Any) -> None:
        selection = _selected(options)
        ids = selection.oldest(options["limit"])
        preview = rounds.preview(len(ids))
        cost = preview["cost_usd"]
        self.stderr.write(f"{len(ids)} signals, {'cost unknown' if cost is None else f'about {cost} USD'}")
        done: list[int | None] = []
        if ids and self.may(options, f"Judge {len(ids)} signals again?"):
            done = list(self.shown(rounds.start(ids, "reevaluate", options["note"]), len(ids), "signals"))
        started = sum(opened is not None for opened in done)
        facts = {
            "dry_run": options["dry_run"],
            "as_of": selection.as_of.isoformat(),
            "selected": len(ids),
            "preview": preview,
            "started": started,
            "skipped": len(done) - started,
        }
        self.answer(options, facts, f"{started} of {len(ids)} signals are being judged again.")
        if len(done) > started:
            raise CommandError("Some signals were under way already.", returncode=SOME_FAILED)


def _selected(options: dict[str, Any]) -> rounds.Selection:
    """What the options name. Raises CommandError for a value that makes no sense, and when nothing is filtered."""
    given = {name: options[option] for option, name in FILTERS.items() if options[option] is not None}
    query = RoundsFilter(data={**given, **({"degraded": True} if options["degraded"] else {})})
    try:
        query.is_valid(raise_exception=True)
        return rounds.matching(query.validated_data)
    except ValidationError as error:
        option = {name: option for option, name in FILTERS.items()}
        faults = [f"--{option.get(name, name)}: {' '.join(map(str, found))}" for name, found in dict(query.errors).items()]
        raise CommandError("\n".join(faults), returncode=REFUSED) from error
    except UnfilteredError as error:
        named = ", ".join(f"--{option}" for option in (*FILTERS, "degraded"))
        raise CommandError(f"Name at least one of {named}.", returncode=REFUSED) from error
