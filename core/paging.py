"""Pages of a list, newest first, joined by opaque cursors.

A cursor names a row by its instant and id, not by its number, so rows that arrive or leave move nothing. It is signed: one that was
changed, or belongs to another list, is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.core import signing
from django.db.models import DateTimeField, Field, Func, Model, QuerySet, Value
from django.db.models.lookups import GreaterThan, LessThan
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Order:
    """A list's name and its two columns: an instant, never null within the list, and the primary key for equal instants."""

    name: str
    instant: str
    key: str = "id"

    def newest_first(self) -> tuple[str, str]:
        """For `order_by`."""
        return f"-{self.instant}", f"-{self.key}"

    def oldest_first(self) -> tuple[str, str]:
        """For `order_by`."""
        return self.instant, self.key


@dataclass(frozen=True)
class Cursor:
    """Beside which row a page starts, and whether it holds the newer or the older ones."""

    newer: bool
    instant: datetime
    key: str

    @classmethod
    def beside(cls, row: Model, order: Order, *, newer: bool) -> "Cursor":
        """The page that adjoins this row."""
        return cls(newer, getattr(row, order.instant), str(getattr(row, order.key)))

    def sealed(self, order: Order) -> str:
        """As clients carry it."""
        return signing.dumps([self.newer, self.instant.isoformat(), self.key], salt=_salt(order))


def opened(text: str, order: Order) -> Cursor:
    """The cursor in a client's text. Raises ValidationError naming `cursor`."""
    try:
        newer, instant, key = signing.loads(text, salt=_salt(order))
    except signing.BadSignature as error:
        raise ValidationError({"cursor": "Not a cursor of this list."}, "invalid_cursor") from error
    return Cursor(newer, datetime.fromisoformat(instant), key)


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows, newest first, and the cursors of the pages around them."""

    rows: list[Row]
    older: Cursor | None
    newer: Cursor | None


def read_page(rows: QuerySet[Row], order: Order, limit: int, cursor: Cursor | None) -> Page[Row]:
    """At most `limit` rows from the cursor on; without one, the newest. One query."""
    if cursor is None:
        return _page(list(rows.order_by(*order.newest_first())[: limit + 1]), order, limit, cursor)
    here = Func(
        Value(cursor.instant, output_field=DateTimeField()),
        Value(cursor.key, output_field=rows.model._meta.pk),
        function="ROW",
        output_field=Field(),
    )
    there = Func(order.instant, order.key, function="ROW", output_field=Field())
    if cursor.newer:
        found = rows.filter(GreaterThan(there, here)).order_by(*order.oldest_first())[: limit + 1]
    else:
        found = rows.filter(LessThan(there, here)).order_by(*order.newest_first())[: limit + 1]
    return _page(list(found), order, limit, cursor)


def links(request: Request, page: Page[Any], order: Order) -> dict[str, str | None]:
    """`next` and `previous`: this request's own address with the cursor exchanged."""
    return {"next": _link(request, page.older, order), "previous": _link(request, page.newer, order)}


def _page(found: list[Row], order: Order, limit: int, cursor: Cursor | None) -> Page[Row]:
    """One row more than was asked for tells whether there is another page that way; the other way is where the reader came from."""
    more = len(found) > limit
    rows = found[:limit]
    backwards = cursor is not None and cursor.newer
    if backwards:
        rows.reverse()
    if not rows:
        return Page([], None, None)
    older = Cursor.beside(rows[-1], order, newer=False) if more or backwards else None
    newer = Cursor.beside(rows[0], order, newer=True) if cursor is not None and (more or not backwards) else None
    return Page(rows, older, newer)


def _link(request: Request, cursor: Cursor | None, order: Order) -> str | None:
    if cursor is None:
        return None
    query = request.query_params.copy()
    query["cursor"] = cursor.sealed(order)
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def _salt(order: Order) -> str:
    return f"lens.cursor.{order.name}"


def asked_for(rows: QuerySet[Row], asked: Mapping[str, Any], lookups: Mapping[str, str]) -> QuerySet[Row]:
    """The rows that match every filter given; `lookups` says which column each one speaks of."""
    return rows.filter(**{lookup: asked[name] for name, lookup in lookups.items() if name in asked})
