"""Tables for spreadsheets: CSV in which nothing a source or a model wrote can become a formula."""

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.clock import iso

MOST_ROWS = 50_000
# What spreadsheets take for the beginning of a formula, also behind white space they trim.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")


class _Echo:
    """Where the writer writes: nowhere; the line is what `writerow` returns."""

    def write(self, line: str) -> str:
        return line


def csv_lines(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """The table line by line, its header first."""
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_ALL)
    yield writer.writerow(list(names))
    for row in rows:
        yield writer.writerow([cell(value) for value in row])


def cell(value: Any) -> str:
    """A cell's text; an apostrophe keeps a text that looks like a formula a text. Numbers stay numbers."""
    match value:
        case None:
            return ""
        case bool() | int() | float() | Decimal():
            return str(value)
        case datetime():
            return iso(value)
        case dict() | list():
            text = json.dumps(value, sort_keys=True, default=str)
        case _:
            text = str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
