"""`manage.py rotate_api_key PREFIX_OR_ID`: exchange a key for a new one and show that once."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.management.arguments import span
from access.management.shown import show_once
from access.models import ApiKey
from access.services import NotRotatableError, rotate_key


class Command(BaseCommand):
    """Makes the successor; the old key goes on until the overlap is over."""

    help = "Make a successor of an API key and print it once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", help="the key's prefix (the eight characters after lens_) or its id, never its text")
        parser.add_argument("--overlap", type=span, default=timedelta(days=1), help="how long the old key lives on (default: 24h)")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key, text = rotate_key(_key_id(options["key"]), options["overlap"])
        except ApiKey.DoesNotExist as error:
            raise CommandError("There is no such key.", returncode=2) from error
        except NotRotatableError as error:
            raise CommandError(str(error), returncode=2) from error
        show_once(self, key, text, as_json=options["json"])


def _key_id(named: str) -> str:
    """The id behind a prefix or an id. Raises ApiKey.DoesNotExist."""
    try:
        return str(UUID(named))
    except ValueError:
        return str(ApiKey.objects.get(prefix=named).pk)
