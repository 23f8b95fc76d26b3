"""The settings as papers, drawn from their declarations: `python -m lens_project.settings.described --env-example | --page`."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings

from lens_project.settings.lens import ROOT, LensSettings
from lens_project.settings.loading import secrets_of, variable
from lens_project.settings.servers import ServerSettings

REGENERATE = "python -m lens_project.settings.described"
# What the launcher and tests set is no choice of people's.
_INNER = "Set by the launcher and by tests"

_PAGE_HEAD = f"""# Configuration

Everything is set by environment variables. A start with a fault stops and tells all faults at once, each by its variable's name; an
unknown `LENS_*` variable is one, and the nearest name is told. Lists are written with commas. `.env.example` is the same list to
copy. This page is generated: `{REGENERATE} --page > docs/configuration.md`.

**Secrets from files.** Where *file* is noted, `NAME_FILE` may name a file that holds the value, as containers and orchestrators
mount them; both at once, a missing or an empty file is a fault. A model's key works likewise: a model whose `key_env` is
`OPENAI_API_KEY` takes its key from `OPENAI_API_KEY`, or from the file that `OPENAI_API_KEY_FILE` names. That file is read at every
call, so a key rotated there needs no restart.
"""
_ENV_HEAD = f"""# Every setting with its default. Copy to .env and uncomment what differs: docker compose hands it to every process,
# a shell does with `set -a; . ./.env`. A secret may stand in a file instead: NAME_FILE=/run/secrets/name.
# Generated: {REGENERATE} --env-example > .env.example

# ── docker compose alone
# the password of its own PostgreSQL (required)
#POSTGRES_PASSWORD=
# the password of Grafana's admin, with --profile observability
#GRAFANA_PASSWORD=
"""


@dataclass(frozen=True)
class Line:
    """One setting as people see it."""

    name: str
    default: str
    effect: str
    secret: bool


def parts() -> dict[str, list[Line]]:
    """Heading → its settings, in the order they are declared."""
    found: dict[str, list[Line]] = {}
    heading = ""
    for settings, name in _declared():
        field = settings.model_fields[name]
        extra: Any = field.json_schema_extra
        heading = extra["heading"] or heading
        line = Line(variable(settings, name), _written(field.default), field.description or "", name in secrets_of(settings))
        found.setdefault(heading, []).append(line)
    return found


def _declared() -> Iterator[tuple[type[BaseSettings], str]]:
    for settings in (ServerSettings, LensSettings):
        yield from ((settings, name) for name in settings.model_fields)


def _written(default: Any) -> str:
    """A default as one would write it into the environment."""
    match default:
        case None | ():
            return ""
        case bool():
            return str(int(default))
        case tuple():
            return ",".join(str(part) for part in default)
        case Path():
            return str(default.relative_to(ROOT))
    return str(default)


def page() -> str:
    """docs/configuration.md."""
    return _PAGE_HEAD + "".join(_table(heading, lines) for heading, lines in parts().items())


def _table(heading: str, lines: list[Line]) -> str:
    rows = [f"| `{line.name}`{' *file*' if line.secret else ''} | {_shown(line.default)} | {line.effect} |" for line in lines]
    return "\n".join(["", f"## {heading}", "", "| variable | default | effect |", "|---|---|---|", *rows, ""])


def _shown(default: str) -> str:
    return f"`{default}`" if default else "–"


def env_example() -> str:
    """.env.example."""
    groups = ((heading, lines) for heading, lines in parts().items() if heading != _INNER)
    return _ENV_HEAD + "".join(f"\n# ── {heading}\n" + "".join(_commented(line) for line in lines) for heading, lines in groups)


def _commented(line: Line) -> str:
    return f"# {line.effect}\n#{line.name}={line.default}\n"


def main() -> None:
    """Prints what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--env-example", dest="draw", action="store_const", const=env_example)
    which.add_argument("--page", dest="draw", action="store_const", const=page)
    sys.stdout.write(parser.parse_args().draw())


if __name__ == "__main__":
    main()
