"""`manage.py check_models [NAME …] [--json]`: one tiny call to each model; says what is wrong and how to mend it."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from evaluation.models import EvaluationModel
from evaluation.probing import Finding, probe_all


class Command(BaseCommand):
    """Exit 0 when every model asked can answer, 1 when one cannot, 2 when a name is unknown."""

    help = "Make one tiny call to each enabled model, or to the named ones, and say what to mend."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="default: every enabled model")
        parser.add_argument("--json", action="store_true", help="a list of findings")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = probe_all(_chosen(options["names"]))
        if options["json"]:
            self.stdout.write(json.dumps([{**asdict(found), "ok": found.ok} for found in findings]))
        else:
            self.stdout.writelines(f"{line}\n" for found in findings for line in _told(found))
        if not all(found.ok for found in findings):
            sys.exit(1)


def _chosen(names: list[str]) -> list[EvaluationModel]:
    if not names:
        return list(EvaluationModel.objects.filter(enabled=True))
    known = EvaluationModel.objects.in_bulk(names)
    strangers = [name for name in names if name not in known]
    if strangers:
        raise CommandError(f"There is no model {', '.join(strangers)}.", returncode=2)
    return [known[name] for name in names]


def _told(found: Finding) -> list[str]:
    tokens = f", {found.tokens_in} tokens in, {found.tokens_out} out" if found.tokens_in is not None else ""
    head = f"{found.name}: {found.code} ({found.latency_ms} ms{tokens})"
    return [head, *(f"  {line}" for line in (found.detail, found.mend) if line)]
