"""Arguments that the key commands share."""

import re
from argparse import ArgumentTypeError
from datetime import timedelta

_SPAN = re.compile(r"(\d{1,4})([dhms])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def span(text: str) -> timedelta:
    """`90d`, `12h`, `30m`, `10s`."""
    found = _SPAN.fullmatch(text)
    if not found:
        raise ArgumentTypeError("use a number and d, h, m or s, such as 90d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def limit(text: str) -> int:
    """A whole number, 0 for no limit."""
    if not (text.isascii() and text.isdigit() and int(text) <= 100_000):
        raise ArgumentTypeError("use a whole number up to 100000; 0 turns the limit off")
    return int(text)
