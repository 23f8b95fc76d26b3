"""Naming dead letters on a command line: the filters of `GET /dlq`, checked by the same code."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from rest_framework.exceptions import ValidationError

from console.letters import Selection, UnfilteredError, matching
from console.queries import STAGES, LettersFilter
from core.commands import REFUSED

# Option → the filter of the list it stands for.
FILTERS = {"stage": "stage", "reason": "reason_code", "cause": "fingerprint", "event": "event_id", "since": "since"}


def add_filters(parser: CommandParser) -> None:
    """The options of both commands."""
    parser.add_argument("--stage", help=", ".join(STAGES))
    parser.add_argument("--reason", help="a reason code, such as provider_down")
    parser.add_argument("--cause", help="a fingerprint, as a letter shows it")
    parser.add_argument("--since", help="RFC 3339 with a zone: letters written since then")
    parser.add_argument("--event", help="one signal's event id")
    parser.add_argument("--limit", type=int, default=50, help="at most so many (default: 50)")
    parser.add_argument("--note", default="", help="why; kept with each letter")


def selected(options: dict[str, Any]) -> Selection:
    """What the options name. Raises CommandError for a value that makes no sense, and when nothing is filtered."""
    given = {name: options[option] for option, name in FILTERS.items() if options[option] is not None}
    query = LettersFilter(data=given)
    try:
        query.is_valid(raise_exception=True)
        return matching(query.validated_data)
    except ValidationError as error:
        option = {name: option for option, name in FILTERS.items()}
        faults = [f"--{option[name]}: {' '.join(map(str, found))}" for name, found in dict(query.errors).items()]
        raise CommandError("\n".join(faults), returncode=REFUSED) from error
    except UnfilteredError as error:
        named = ", ".join(f"--{option}" for option in FILTERS)
        raise CommandError(f"Name at least one of {named}.", returncode=REFUSED) from error


def counted(counts: list[dict[str, Any]]) -> str:
    """One line for each stage and reason."""
    return "\n".join(f"{kind['count']:>6}  {kind['stage']}/{kind['reason_code']}" for kind in counts) or "Nothing matches."
