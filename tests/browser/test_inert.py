"""Text from outside, planted in every column that may hold it, is shown and never run."""

from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.browser.admin import walk
from tests.browser.visitor import Visitor
from tests.stack import Lens

pytestmark = pytest.mark.stack

TEXT = (
    "<script>window.ran=1</script>"
    '"><img src=x onerror="window.ran=1">'
    "'-(window.ran=1)-'"
    "javascript:window.ran=1"
    "{{7*7}}${7*7}</textarea><svg onload=window.ran=1>"
)
# The rows that speak of one signal, by the table they are in.
ROWS = {
    "signals_signal": "id = %(event)s",
    "enrichment_enrichment": "signal_id = %(event)s",
    "evaluation_decision": "signal_id = %(event)s",
    "evaluation_modelcall": "decision_id IN (SELECT id FROM evaluation_decision WHERE signal_id = %(event)s)",
    "evaluation_verdict": "signal_id = %(event)s",
    "audit_timelineentry": "event_id = %(event)s",
    "audit_deadletter": "event_id = %(event)s",
    "publishing_frame": "event_id = %(event)s",
}
# What only our own code ever writes there: its words, hashes, and the document whose hash is kept.
OURS = {
    "status",
    "kind",
    "stage",
    "epoch",
    "event_type",
    "signal_direction",
    "decision",
    "policy",
    "buried_from",
    "series",
    "payload",
}
OURS |= {"model", "fingerprint", "idempotency_key", "caller", "expected", "votes"}


@pytest.fixture(scope="module")
def planted(lens: Lens, published: list[str]) -> list[str]:
    """A published signal and a buried one with hostile text in each free column of every row that speaks of them."""
    events = [published[1], lens.submit(feature_profile="no_such_profile")]
    lens.settled(events)
    with psycopg.connect(lens.facts["database"], autocommit=True) as connection:
        for table in ROWS:
            for column, width, kind in _columns(connection, table):
                for event in events:
                    _plant(connection, (table, column), TEXT[:width] if width else TEXT, (kind, event))
        hostile = Jsonb({"source": TEXT, "symbol": TEXT[:32]})
        connection.execute("UPDATE publishing_frame SET payload = payload || %s WHERE event_id = ANY(%s)", [hostile, events])
    return events


def _columns(connection: psycopg.Connection[Any], table: str) -> list[tuple[str, int | None, str]]:
    found = connection.execute(
        "SELECT column_name, character_maximum_length, data_type FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = %s AND data_type IN ('character varying', 'text', 'jsonb')",
        [table],
    ).fetchall()
    return [row for row in found if row[0] not in OURS and not row[0].endswith(("_hash", "_version", "request_id"))]


def _plant(connection: psycopg.Connection[Any], place: tuple[str, str], text: str, where: tuple[str, str]) -> None:
    """In a JSON object hostile text becomes one more member, name and value; what our code reads from it stays."""
    table, column = place
    kind, event = where
    value = "{c} || jsonb_build_object(%(text)s::text, %(text)s::text)" if kind == "jsonb" else "%(text)s"
    only = " AND jsonb_typeof({c}) = 'object'" if kind == "jsonb" else ""
    query = sql.SQL("UPDATE {t} SET {c} = " + value + " WHERE " + ROWS[table] + only)  # noqa: S608  constants of this file
    connection.execute(query.format(t=sql.Identifier(table), c=sql.Identifier(column)), {"text": text, "event": event})


def test_the_pages_show_it_and_run_nothing(visitor: Visitor, planted: list[str]) -> None:
    visitor.go("/feed")
    visitor.page.wait_for_selector("#feed tbody tr >> text=<script>")
    _ran_nothing(visitor)
    for event in planted:
        visitor.go(f"/events/{event}")
        assert "<script>" in visitor.page.inner_text("main")
        visitor.page.eval_on_selector_all("details", "all => all.forEach((one) => { one.open = true; })")
        _ran_nothing(visitor)
    for path in ("/models", "/system", "/playground", "/feed?symbol=%3Cscript%3E&model=%22%3E%3Cimg%20src=x%3E"):
        visitor.go(path)
        _ran_nothing(visitor)


def test_the_admin_shows_it_and_runs_nothing(visitor: Visitor, planted: list[str]) -> None:
    def visit(path: str) -> None:
        visitor.go(path)
        _ran_nothing(visitor)

    walk(visitor, visit)


def _ran_nothing(visitor: Visitor) -> None:
    assert visitor.page.evaluate("window.ran") is None
    visitor.content()
