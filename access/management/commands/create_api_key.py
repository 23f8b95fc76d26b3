"""`manage.py create_api_key NAME --scopes a,b`: make a key and show it once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.management.arguments import limit, span
from access.management.shown import show_once
from access.models import Scope
from access.services import create_key
from access.windows import Limits
from core.clock import now


class Command(BaseCommand):
    """Makes a key; its text goes to standard output and is not kept anywhere."""

    help = "Make an API key and print it once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--scopes", required=True, help=f"comma-separated: {', '.join(Scope.values)}")
        parser.add_argument("--sources", default="", help="comma-separated sources this key is confined to (default: all)")
        parser.add_argument("--expires", type=span, help="lifetime such as 90d, 12h (default: none)")
        parser.add_argument(
            "--rate", type=limit, help="signals a minute over ten minutes; 0: no such limit (default: the installation's)"
        )
        parser.add_argument("--burst", type=limit, help="signals in any 60 s; 0: no such limit (default: the installation's)")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        expires_at = now() + options["expires"] if options["expires"] else None
        try:
            key, text = create_key(
                options["name"],
                _listed(options["scopes"]),
                allowed_sources=_listed(options["sources"]),
                expires_at=expires_at,
                limits=Limits(options["rate"], options["burst"]),
            )
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from error
        show_once(self, key, text, as_json=options["json"])


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
