"""Statements that keep their plan: on a real server, through what a migration may do to them."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from core import prepared
from signals.models import Signal
from tests.conftest import SignalFactory

pytestmark = pytest.mark.django_db(transaction=True)

ASK = "SELECT id, text FROM kept WHERE id = %s"


@pytest.fixture
def elsewhere() -> Iterator[Any]:
    """Another session on the same database, with a table of its own; what is prepared here is given up."""
    other = connection.copy()
    with other.cursor() as session:
        session.execute("CREATE TABLE kept (id int, text varchar(10))")
        session.execute("INSERT INTO kept VALUES (1, 'one')")
        yield session
        session.execute("DROP TABLE kept")
    other.close()
    connection.close()


def plans() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%FROM kept%%'", [])
        return int(cursor.fetchone()[0])


def ask() -> Any:
    return prepared.row(ASK, [1])


def test_a_statement_is_planned_once(elsewhere: Any) -> None:
    assert plans() == 0
    assert [ask() for _ in range(4)] == [(1, "one")] * 4
    assert plans() == 1


def test_a_new_column_changes_nothing(elsewhere: Any) -> None:
    for _ in range(4):
        ask()
    elsewhere.execute("ALTER TABLE kept ADD COLUMN more text")
    assert ask() == (1, "one")


def test_a_type_that_changed_costs_the_plan_and_no_answer(elsewhere: Any) -> None:
    for _ in range(4):
        ask()
    elsewhere.execute("ALTER TABLE kept ALTER COLUMN text TYPE varchar(200)")
    assert [ask() for _ in range(4)] == [(1, "one")] * 4
    assert prepared.rows(ASK, [1]) == [(1, "one")]


def test_in_a_transaction_it_fails_as_what_is_tried_again(elsewhere: Any) -> None:
    for _ in range(4):
        ask()
    elsewhere.execute("ALTER TABLE kept ALTER COLUMN text TYPE varchar(200)")
    with pytest.raises(OperationalError), transaction.atomic():
        ask()
    with transaction.atomic():
        assert ask() == (1, "one")


def test_a_row_is_made_as_the_orm_makes_it(make_signal: SignalFactory) -> None:
    signal = make_signal(metadata={"a": [1, None]})
    names = ", ".join(prepared.columns(Signal))
    found = prepared.made(Signal, prepared.row(f"SELECT {names} FROM signals_signal WHERE id = %s", [signal.pk]))  # noqa: S608  ours
    kept = Signal.objects.get(pk=signal.pk)
    assert {name: getattr(found, name) for name in prepared.columns(Signal)} == {
        name: getattr(kept, name) for name in prepared.columns(Signal)
    }
    assert found == kept
    assert not found._state.adding
