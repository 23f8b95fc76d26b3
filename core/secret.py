"""Secrets from the environment, or from the files it points to: `NAME`, or `NAME_FILE` with a path, as containers mount them.

Also how a secret is taken out of a text that somebody else wrote.
"""

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

SUFFIX = "_FILE"
MOST_BYTES = 16_384
MARK = "[key redacted]"
# What is shorter is a word rather than a secret, and may stand in any text.
LEAST_SECRET = 8
_ESCAPES = ("\\u00", "\\/")


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


def blotted(text: str, value: str) -> str:
    """The text with this secret marked out wherever it stands, in JSON's escapes too; else unchanged, character for character."""
    if len(value) < LEAST_SECRET or not any(sign in text for sign in (value, *_ESCAPES)):
        return text
    return _spelled(value).sub(MARK, text)


@lru_cache(maxsize=64)
def _spelled(value: str) -> re.Pattern[str]:
    """Each letter as it is or escaped, inside a JSON text inside another at most: no repeat without a bound on hostile text."""
    return re.compile("".join(rf"(?:{_slashed(letter)}|\\{{1,4}}u(?i:{ord(letter):04x}))" for letter in value))


def _slashed(letter: str) -> str:
    return r"\\{0,4}/" if letter == "/" else re.escape(letter)


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
