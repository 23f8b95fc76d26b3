"""What the admin pages of every app stand on. The theme is named here and in the settings, nowhere else.

Lists stay fast at a million rows: no count beyond ten thousand, no facets and no date drill-down unless a list asks for them,
search by exact value through an index, sorting by the list's own order only, and wide columns fetched by the page that shows them.
Everything stored is text: it is escaped, or shown in a `pre`.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import BooleanField, Field, JSONField, Model, Q, QuerySet, TextField
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.estimates import EstimatedPaginator
from core.sheets import MOST_ROWS, csv_lines
from core.told import told

if TYPE_CHECKING:  # the theme has no types; what it changes is looks
    from django.contrib.admin import ModelAdmin, TabularInline
else:
    from unfold.admin import ModelAdmin, TabularInline

LONGEST_SHOWN = 60_000

Row = TypeVar("Row", bound=Model)
Column = Callable[[Any], Any]
# A row with everything in it, or the name of a column.
Shown = str | Column


class HouseAdmin(ModelAdmin[Row]):
    """The base of every page. `searched` are the columns a search looks in, each for exactly what was typed."""

    paginator = EstimatedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_filter_submit = False
    sortable_by: ClassVar[Any] = ()
    searched: Sequence[str] = ()
    wide: Sequence[str] = ()
    # Columns that are in no export, hashes of secrets among them.
    secret: Sequence[str] = ()
    actions = ["export"]

    def get_search_fields(self, request: HttpRequest) -> Any:
        return self.searched

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Row], search_term: str) -> tuple[QuerySet[Row], bool]:
        """Rows with exactly that value in one of the columns; a prefix would not find its way through the index of an id."""
        term = search_term.strip()
        return (queryset.filter(_any(self.model, self.searched, term)) if term else queryset), False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Row]:
        """Without the wide columns; a page that shows one fetches it."""
        return super().get_queryset(request).defer(*self.wide)

    def get_actions(self, request: HttpRequest) -> Any:
        """Nothing is deleted by the dozen here."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    @admin.action(description="Export as CSV", permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[Row]) -> StreamingHttpResponse:
        """The selected rows, wide columns left out, at most 50 000; who took what is noted."""
        names = [field.name for field in self.model._meta.concrete_fields if field.name not in (*self.wide, *self.secret)]
        rows = queryset.values_list(*names)[:MOST_ROWS]
        self._note_export(request, queryset)
        answer = StreamingHttpResponse(csv_lines(names, rows.iterator(chunk_size=1_000)), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="{self.model._meta.model_name}.csv"'
        answer["Cache-Control"] = "no-store"
        return answer

    def _note_export(self, request: HttpRequest, queryset: QuerySet[Row]) -> None:
        first = queryset.first()
        if first is not None:
            self.log_change(request, first, "Exported rows of this kind as CSV.")


class ReadOnly:
    """For history: look, never touch. Mix in before the admin class; every column is shown, long ones as they are stored."""

    # Columns that are made, not stored: `(row) -> text or safe markup`.
    also: Sequence[Shown] = ()
    # Columns about how the row was handled, for whoever mends the machine: below all others, folded.
    clockwork: Sequence[str] = ()
    exclude: ClassVar[Any] = None

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody adds history."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody changes it."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody removes it here; retention does."""
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What a row says first, then what was made of it."""
        columns = self.opts.concrete_fields  # type: ignore[attr-defined]  # of the admin class this is mixed into
        return [*(as_stored(field) for field in columns if field.name not in (self.exclude or ())), *self.also]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """All of them."""
        return self.get_fields(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """What the row is about first."""
        columns = self.get_fields(request, obj)
        first = [(None, {"fields": [column for column in columns if column not in self.clockwork]})]
        return [*first, ("Clockwork", {"fields": self.clockwork, "classes": ["collapse"]})] if self.clockwork else first


class HouseInline(TabularInline[Row, Any]):
    """Rows of another table beside the one shown: history, to be read."""

    extra = 0
    max_num = 0
    can_delete = False


def as_stored(field: Any) -> Shown:
    """The column itself; for JSON and long text something that shows it whole and inert, for truth a word."""
    made = isinstance(field, JSONField | TextField | BooleanField)
    return stored(field.name, str(field.verbose_name)) if made else field.name


def stored(name: str, title: str) -> Column:
    """A column that shows the value of that attribute: JSON in tables, text as it is in a `pre`, truth as yes or no."""

    def show(row: Any) -> SafeString | str:
        return plain(getattr(row, name))

    show.__name__ = f"stored_{name}"
    show.short_description = title  # type: ignore[attr-defined]
    return show


def plain(value: Any) -> SafeString | str:
    """JSON in tables, text in a `pre`; escaped, and at most 60 000 characters, for which a `pre` has to do."""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str)
    if not value or (not isinstance(value, str) and len(text) <= LONGEST_SHOWN):
        # A person with a keyboard must be able to move what is wider than the screen.
        table = told(value)
        return format_html('<div class="lens-scroll" tabindex="0">{}</div>', table) if isinstance(table, SafeString) else table
    cut = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}\n… {len(text) - LONGEST_SHOWN} characters more"
    return format_html('<pre class="stored" tabindex="0">{}</pre>', cut)


def clipped(name: str, title: str, width: str = "22rem") -> Column:
    """A list's column of free text: one line, cut off by the browser, whole in its tooltip."""

    def show(row: Any) -> SafeString:
        text = str(getattr(row, name))
        return format_html('<span class="clipped" style="max-width:{}" title="{}">{}</span>', width, text[:500], text[:200])

    show.__name__ = f"clipped_{name}"
    show.short_description = title  # type: ignore[attr-defined]
    return show


def _any(model: type[Model], columns: Iterable[str], term: str) -> Q:
    """Equality with each column that could hold such a value at all; what none could hold is found nowhere."""
    wanted = Q()
    for column in columns:
        value = _as(_column(model, column), term)
        if value is not None:
            wanted |= Q(**{column: value})
    return wanted or Q(pk__in=[])


def _column(model: type[Model], path: str) -> Field[Any, Any]:
    head, _, rest = path.partition("__")
    field: Any = model._meta.pk if head == "pk" else model._meta.get_field(head)
    return _column(field.related_model, rest) if rest else field


def _as(field: Field[Any, Any], term: str) -> Any:
    try:
        return field.to_python(term)
    except ValidationError:
        return None
