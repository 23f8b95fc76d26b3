"""`manage.py describe_stream`: the socket's AsyncAPI document, on stdout or into a file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import BaseCommand

from publishing.asyncapi import document


class Command(BaseCommand):
    """Drawn anew from the shapes; a test compares docs/asyncapi.yaml with it."""

    help = "Write the decision stream's AsyncAPI description."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--file", type=Path, help="where to; stdout when left out")

    def handle(self, *_: Any, **options: Any) -> None:
        text = yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=120)
        if options["file"] is None:
            self.stdout.write(text)
        else:
            options["file"].write_text(text)
