"""How the key commands show a new key: once."""

import json

from django.core.management.base import BaseCommand

from access.models import ApiKey


def show_once(command: BaseCommand, key: ApiKey, text: str, *, as_json: bool) -> None:
    """The key's text on standard output, alone or as JSON; the warning for people on standard error."""
    if as_json:
        command.stdout.write(json.dumps({"id": str(key.pk), "name": key.name, "key": text, "scopes": key.scopes}))
    else:
        command.stdout.write(text)
        command.stderr.write("This key is shown once; keep it safe.")
