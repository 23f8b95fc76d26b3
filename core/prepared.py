"""Statements that every signal runs: the server plans each once for a connection, instead of anew at every call.

Django quotes arguments into the text itself, so that to PostgreSQL each call is a statement it has never seen. Here they travel
beside it, and after a call or two (`prepare_threshold`) a statement is prepared where the database allows it.

A kept plan fails once a migration has changed what its statement returns. A statement that returns rows names their columns, so
that a new one changes nothing; where a type changes, the connection gives up its plans and the statement runs anew. Within a
transaction it fails as one whose connection was lost, and is tried again with it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import NotSupportedError, OperationalError, connection
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.models import AutoField, Model
from django.db.models.expressions import DatabaseDefault

M = TypeVar("M", bound=Model)

Arguments = Sequence[Any] | Mapping[str, Any]

_OUTDATED = "cached plan must not change result type"


def run(sql: str, arguments: Arguments) -> int:
    """How many rows a statement wrote. Raises Django's database errors, as everything here does."""
    return int(_executed(sql, arguments, lambda cursor: cursor.rowcount))


def row(sql: str, arguments: Arguments) -> Any:
    """The first row, a tuple; None when there is none."""
    return _executed(sql, arguments, lambda cursor: cursor.fetchone())


def rows(sql: str, arguments: Arguments) -> list[tuple[Any, ...]]:
    """All rows."""
    found: list[tuple[Any, ...]] = _executed(sql, arguments, lambda cursor: cursor.fetchall())
    return found


def insert(new: Model) -> None:
    """Store a new row; the columns left to the database are not named."""
    names = written(new)
    run(_insertion(type(new), *names), [stored(type(new), name, getattr(new, name)) for name in names])


def columns(model: type[Model]) -> list[str]:
    """The names of a table's columns, in the order in which `made` expects them."""
    return [field.attname for field in model._meta.concrete_fields]


def made(model: type[M], found: Sequence[Any]) -> M:
    """An instance from a row that begins with the table's `columns`."""
    names = columns(model)
    values = list(found[: len(names)])
    for place, convert in _converters(model):
        values[place] = convert(values[place], None, connection)
    return model.from_db(connection.alias, names, values)


def written(new: Model) -> list[str]:
    """The columns an insert of this row names: all but those the database fills by itself."""
    fields: list[Any] = list(new._meta.concrete_fields)
    own = [field.attname for field in fields if not isinstance(field, AutoField)]
    return [name for name in own if not isinstance(getattr(new, name), DatabaseDefault)]


def stored(model: type[Model], name: str, value: Any) -> Any:
    """A field's value as its column takes it."""
    field: Any = model._meta.get_field(name)
    return field.get_db_prep_save(value, connection)


def _executed(sql: str, arguments: Arguments, answer: Callable[[Any], Any]) -> Any:
    try:
        return _answered(sql, arguments, answer)
    except NotSupportedError as error:
        if not str(error).startswith(_OUTDATED):
            raise
        if connection.in_atomic_block:
            # The rollback gives up every plan of the connection.
            raise OperationalError(str(error)) from error
    with connection.cursor() as plain:
        plain.execute("DEALLOCATE ALL")
    return _answered(sql, arguments, answer)


def _answered(sql: str, arguments: Arguments, answer: Callable[[Any], Any]) -> Any:
    with _cursor() as cursor:
        cursor.execute(sql, arguments)
        return answer(cursor)


def _cursor() -> Any:
    """As Django makes one, but bound by the server."""
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors:
        bound: Any = ServerBindingCursor(connection.connection)  # type: ignore[call-arg]
        return connection.make_debug_cursor(bound) if connection.queries_logged else connection.make_cursor(bound)


@cache
def _insertion(model: type[Model], *names: str) -> str:
    return f"INSERT INTO {model._meta.db_table} ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})"  # noqa: S608  our names


@cache
def _converters(model: type[Model]) -> list[tuple[int, Callable[..., Any]]]:
    fields = enumerate(model._meta.concrete_fields)
    return [(place, field.from_db_value) for place, field in fields if hasattr(field, "from_db_value")]
