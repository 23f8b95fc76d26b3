"""`manage.py model add|list|set|enable|disable`: the registry of judges, from a shell."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.money import plain
from evaluation.models import EvaluationModel
from evaluation.registry import COLUMNS

NONE = "none"
REFUSED = 2


class Command(BaseCommand):
    """Answers with the model's row: as text for people, with `--json` as JSON on stdout. Exit 0, or 2 when refused."""

    help = "Add, list, change, enable or disable the models that judge signals."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        adding = verbs.add_parser("add", help="register a model, enabled")
        changing = verbs.add_parser("set", help="change what is given, keep the rest")
        for verb in (adding, changing):
            verb.add_argument("name")
            for column, says in COLUMNS.items():
                required = verb is adding and column in {"vendor", "model_id"}
                verb.add_argument(f"--{column.replace('_', '-')}", required=required, help=says, metavar=column.upper())
        for name in ("enable", "disable"):
            verbs.add_parser(name, help=f"{name} a model for new signals").add_argument("name")
        for verb in (*verbs.choices.values(), verbs.add_parser("list", help="all models")):
            verb.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        verbs: Mapping[str, Callable[[dict[str, Any]], list[EvaluationModel]]] = {
            "add": _add,
            "set": _set,
            "list": lambda _: list(EvaluationModel.objects.all()),
            "enable": lambda given: _switch(given, enabled=True),
            "disable": lambda given: _switch(given, enabled=False),
        }
        try:
            models = verbs[options["verb"]](options)
        except ValidationError as error:
            raise CommandError("; ".join(_faults(error)), returncode=REFUSED) from error
        shown = [_shown(model) for model in models]
        if options["json"]:
            self.stdout.write(json.dumps(shown if options["verb"] == "list" else shown[0], default=plain))
        else:
            for row in shown:
                self.stdout.write("  ".join(f"{name}={value}" for name, value in row.items() if value not in {"", None}))


def _add(given: dict[str, Any]) -> list[EvaluationModel]:
    model = EvaluationModel(name=given["name"], **_given(given))
    model.full_clean()
    model.save(force_insert=True)
    return [model]


def _set(given: dict[str, Any]) -> list[EvaluationModel]:
    model = _known(given["name"])
    for column, value in _given(given).items():
        setattr(model, column, value)
    model.full_clean()
    model.save()
    return [model]


def _switch(given: dict[str, Any], *, enabled: bool) -> list[EvaluationModel]:
    model = _known(given["name"])
    model.enabled = enabled
    model.save(update_fields=["enabled"])
    return [model]


def _known(name: str) -> EvaluationModel:
    model = EvaluationModel.objects.filter(pk=name).first()
    if model is None:
        raise ValidationError({"name": f"There is no model {name!r}."})
    return model


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Column → value as written; `none` empties what may be empty."""
    return {
        column: _empty(column) if options[column] == NONE else options[column] for column in COLUMNS if options[column] is not None
    }


def _empty(column: str) -> str | None:
    return None if EvaluationModel._meta.get_field(column).null else ""


def _shown(model: EvaluationModel) -> dict[str, Any]:
    return {"name": model.name, **{column: getattr(model, column) for column in COLUMNS}, "enabled": model.enabled}


def _faults(error: ValidationError) -> list[str]:
    return [f"{field}: {message}" for field, messages in error.message_dict.items() for message in messages]
