"""Pages of a list that may be very long: the rows are counted up to ten thousand, beyond that estimated."""

from typing import Any

from django.core.paginator import Paginator
from django.db import connection
from django.utils.functional import cached_property

MOST_COUNTED = 10_000


class EstimatedPaginator(Paginator[Any]):
    """Page numbers end where counting ends: nobody leafs to the five-thousandth page, and the database would walk there."""

    object_list: Any  # a queryset
    template_name = "admin/pagination_estimated.html"

    @cached_property
    def count(self) -> int:
        """Exact up to the bound; then the planner's idea of the table for all rows, or the bound for some of them."""
        counted: int = self.object_list.order_by()[: MOST_COUNTED + 1].count()
        if counted <= MOST_COUNTED or self.filtered:
            return counted
        return max(_estimate(self.object_list.model._meta.db_table), counted)

    @property
    def filtered(self) -> bool:
        """Whether these are only some of the rows."""
        return bool(self.object_list.query.where)

    @property
    def words(self) -> str:
        """The count for people."""
        if self.count <= MOST_COUNTED:
            return str(self.count)
        return f"more than {MOST_COUNTED}" if self.filtered else f"about {self.count}"

    @cached_property
    def num_pages(self) -> int:
        """As far as was counted."""
        return max(-(-min(self.count, MOST_COUNTED) // self.per_page), 1)


def _estimate(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s)", [table])
        row = cursor.fetchone()
    return int(row[0]) if row else 0
