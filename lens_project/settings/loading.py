"""From the environment to settings, or to one list of all its faults."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from core.secret import SUFFIX, SecretError, secret
from lens_project.settings.lens import PREFIX, ROOT, LensSettings
from lens_project.settings.running import as_the_stack_runs, running_stack
from lens_project.settings.servers import ServerSettings

# A cluster injects these for every service it knows; they are not settings of ours.
_INJECTED = re.compile(r"LENS_.*_(SERVICE|PORT)(_.*)?$")
_PRODUCTION = "lens_project.settings.production"
# As many as Django's own deployment check asks for.
_LEAST_KEY = 50
_MAKE_KEY = 'python -c "import secrets; print(secrets.token_urlsafe(50))" makes one'

S = TypeVar("S", bound=BaseSettings)


class SettingsError(Exception):
    """The environment does not make sense; the message lists every fault with the variable's name."""


@dataclass(frozen=True)
class Loaded:
    """The settings, and the facts of the stack that runs in the data directory (empty when none does)."""

    lens: LensSettings
    servers: ServerSettings
    stack: dict[str, Any]


def load() -> Loaded:
    """The settings from the environment. Raises SettingsError with all faults at once."""
    faults = unknown(os.environ)
    lens, servers = _build(LensSettings, faults), _build(ServerSettings, faults)
    stack = running_stack(lens.data_dir if lens else ROOT / Path(os.environ.get(f"{PREFIX}DATA_DIR") or ".lens"))
    faults += [*_missing(stack), *_too_open(servers)]
    if lens is None or servers is None or faults:
        raise SettingsError("The environment has faults:\n  " + "\n  ".join(faults))
    return Loaded(as_the_stack_runs(lens, stack), servers, stack)


def unknown(environ: Mapping[str, str]) -> list[str]:
    """One sentence for each `LENS_*` variable that is no setting, naming the nearest one."""
    known = [variable(LensSettings, name) for name in LensSettings.model_fields]
    known += [variable(LensSettings, name) + SUFFIX for name in secrets_of(LensSettings)]
    strangers = [name for name in environ if name.startswith(PREFIX) and name not in known and not _INJECTED.match(name)]
    return [f"{name}: no such setting{_nearest(name, known)}" for name in sorted(strangers)]


def variable(settings: type[BaseSettings], name: str) -> str:
    """What a field is called in the environment."""
    return f"{settings.model_config.get('env_prefix', '')}{name}".upper()


def secrets_of(settings: type[BaseSettings]) -> list[str]:
    """The fields that may also come from a file."""
    fields = settings.model_fields.items()
    return [name for name, field in fields if isinstance(field.json_schema_extra, dict) and field.json_schema_extra["secret"]]


def _build(settings: type[S], faults: list[str]) -> S | None:
    """The settings, or None; what is wrong is added to `faults`."""
    try:
        read: dict[str, Any] = dict(_from_files(settings, faults))
        return settings(**read)
    except ValidationError as error:
        faults += [_told(settings, str(item["loc"][0]), item["msg"]) for item in error.errors()]
        return None


def _from_files(settings: type[BaseSettings], faults: list[str]) -> Iterator[tuple[str, str]]:
    for name in secrets_of(settings):
        try:
            text = secret(variable(settings, name))
        except SecretError as error:
            faults.append(str(error))
            continue
        if text:
            yield name, text


def _told(settings: type[BaseSettings], name: str, message: str) -> str:
    called, hint = variable(settings, name), message.removeprefix("Value error, ")
    given = "" if name in secrets_of(settings) else f" (it is {os.environ.get(called, '')!r})"
    return f"{called}: {hint}{given}"


def _missing(stack: dict[str, Any]) -> list[str]:
    needed = {"DATABASE_URL": "database", "REDIS_URL": "redis"}
    hint = "not set, and no running stack was found: set it, or start one with `make run`"
    return [f"{name}: {hint}" for name, key in needed.items() if not (_given(name) or stack.get(key))]


def _too_open(servers: ServerSettings | None) -> Iterator[str]:
    """What production refuses that one machine may do without."""
    if os.environ.get("DJANGO_SETTINGS_MODULE") != _PRODUCTION:
        return
    key = (servers.django_secret_key if servers else None) or ""
    if not _given("DJANGO_SECRET_KEY"):
        yield f"DJANGO_SECRET_KEY: must be set in production; {_MAKE_KEY}"
    elif 0 < len(key) < _LEAST_KEY:
        yield f"DJANGO_SECRET_KEY: {len(key)} characters are too few, {_LEAST_KEY} the least; {_MAKE_KEY}"
    if not _given(f"{PREFIX}ALLOWED_HOSTS"):
        yield f"{PREFIX}ALLOWED_HOSTS: must name the hosts this serves in production"


def _given(name: str) -> bool:
    return bool(os.environ.get(name) or os.environ.get(name + SUFFIX))


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
