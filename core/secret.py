"""Secrets from the environment, or from the files it points to: `NAME`, or `NAME_FILE` with a path, as containers mount them."""

import os
from collections.abc import Mapping
from pathlib import Path

SUFFIX = "_FILE"
MOST_BYTES = 16_384


class SecretError(ValueError):
    """The environment says where a secret is and it cannot be had there; the message names the variable, never the secret."""


def secret(name: str, environ: Mapping[str, str] | None = None) -> str:
    """The value of `name`, or what stands in the file that `name_FILE` names, white space around it cut; "" when neither is set.

    Read anew at every call, so that a secret mounted anew is the one that is used. Raises SecretError.
    """
    around = os.environ if environ is None else environ
    given, place = around.get(name, ""), around.get(name + SUFFIX, "")
    if not place:
        return given
    if given:
        raise SecretError(f"{name} and {name}{SUFFIX} are both set; keep one of them.")
    return _read(Path(place), f"{name}{SUFFIX}")


def _read(file: Path, variable: str) -> str:
    try:
        with file.open("rb") as opened:
            text = opened.read(MOST_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise SecretError(f"{variable}: {str(file)!r} cannot be read: {why}.") from None
    if not text:
        raise SecretError(f"{variable}: {str(file)!r} is empty.")
    return text
