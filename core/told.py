"""Stored JSON as tables people can read, every word of it escaped. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from core.money import plain

DEEPEST = 8
NOTHING = "–"


def told(value: Any, depth: int = 0) -> SafeString | str:
    """An object as a table of names and values, a list of objects as one with a column for each name, anything else as text."""
    if value is None or value in ("", {}, []):
        return NOTHING
    if depth < DEEPEST and isinstance(value, Mapping):
        return _table(_named(value, depth))
    if depth < DEEPEST and isinstance(value, list):
        return _listed(value, depth)
    return _word(value)


def _named(value: Mapping[str, Any], depth: int) -> SafeString:
    rows = ((name, told(member, depth + 1)) for name, member in sorted(value.items()))
    return format_html_join("", '<tr><th scope="row">{}</th><td>{}</td></tr>', rows)


def _listed(value: Sequence[Any], depth: int) -> SafeString | str:
    if all(isinstance(member, Mapping) for member in value):
        return _table(_side_by_side(value, depth))
    if any(isinstance(member, Mapping | list) for member in value):
        return format_html_join("", "<div>{}</div>", ((told(member, depth + 1),) for member in value))
    return ", ".join(_word(member) for member in value)


def _side_by_side(rows: Sequence[Mapping[str, Any]], depth: int) -> SafeString:
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = format_html_join("", '<th scope="col">{}</th>', ((name,) for name in names))
    cells = (format_html_join("", "<td>{}</td>", ((told(row.get(name), depth + 1),) for name in names)) for row in rows)
    return format_html("<tr>{}</tr>{}", head, format_html_join("", "<tr>{}</tr>", ((row,) for row in cells)))


def _table(rows: SafeString) -> SafeString:
    return format_html('<table class="told">{}</table>', rows)


def _word(value: Any) -> str:
    """Numbers as people write them, truth as a word, null as nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return plain(Decimal(str(value)))
    return NOTHING if value is None else str(value)
