"""Filters of the admin's lists that ask no question of the whole table."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core.clock import now

SPANS = {
    "15m": ("15 minutes", timedelta(minutes=15)),
    "1h": ("hour", timedelta(hours=1)),
    "24h": ("24 hours", timedelta(hours=24)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
}


def within(column: str) -> type[admin.SimpleListFilter]:
    """The last quarter of an hour, hour, day, week or month, by that column."""

    class Within(admin.SimpleListFilter):
        title = "the last"
        parameter_name = "within"

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(key, words) for key, (words, _) in SPANS.items()]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            chosen = SPANS.get(self.value() or "")
            return queryset.filter(**{f"{column}__gte": now() - chosen[1]}) if chosen else queryset

    return Within


def one_of(column: str, names: Callable[[], Iterable[str]], words: str = "") -> type[admin.SimpleListFilter]:
    """One of the names somebody keeps a list of; the stock filter would look for them through all rows."""

    class OneOf(admin.SimpleListFilter):
        title = words or column
        parameter_name = column

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(name, name) for name in names()][:100]

        def has_output(self) -> bool:
            return True

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            return queryset.filter(**{column: self.value()}) if self.value() else queryset

    return OneOf
