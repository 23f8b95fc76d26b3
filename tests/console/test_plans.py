"""A page costs what a page holds: on a table of 200 000 rows no list reads or sorts the whole of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from evaluation.models import EvaluationModel
from tests.console.conftest import ClientFactory

pytestmark = pytest.mark.django_db

# Rows any one step of a plan may touch. A page is 51; filters that meet one row in forty walk past the others.
MOST = 20_000

FILL = """
SELECT setseed(0.5);
INSERT INTO signals_signal (id, event_type, symbol, signal_direction, entry_price, size, ts_utc, source, feature_profile, metadata,
                            caller, fingerprint, status, evaluation, buried_from, received_at, claims, attempts, dispatches)
SELECT gen_random_uuid(), 'OPEN_SIGNAL', (array['BTC', 'ETH', 'SOL', 'kPEPE'])[1 + n % 4], 'long', 1, 1, now(),
       'desk_' || n % 40, '', '{}', 'key:test', '', (array['published', 'published', 'rejected'])[1 + floor(random() * 3)::int],
       0, '', now() - n * interval '1 second', 0, 0, 0
  FROM generate_series(1, 200000) n;
INSERT INTO evaluation_decision (id, signal_id, evaluation, model, status, claims, attempts, decision, confidence, fallback, reason,
                                 answer, original, adjustments, prompt_version, prompt_hash, payload_hash, schema_hash, model_meta,
                                 evaluated_at)
SELECT gen_random_uuid(), id, 0, (array['chatgpt', 'gemini'])[1 + floor(random() * 2)::int],
       CASE WHEN random() < 0.001 THEN 'timeout' ELSE 'ok' END, 0, 0,
       'FOLLOW_ENTER', random(), false, '', '{}', '{}', '[]', '', '', '', '', '{}', received_at
  FROM signals_signal;
INSERT INTO evaluation_verdict (id, signal_id, evaluation, decision, confidence, fallback, reason, policy, policy_version, votes,
                                disagreement, evaluated_at)
SELECT gen_random_uuid(), id, 0, 'FOLLOW_ENTER', 0.6, false, '', 'majority', 1, '[{"model": "chatgpt", "status": "ok"}]', 0,
       received_at
  FROM signals_signal;
INSERT INTO audit_deadletter (id, event_id, stage, reason_code, error_type, error_message, fingerprint, traceback, payload,
                              attempts, retry_count, status, created_at, resolved_by, resolution_note)
SELECT gen_random_uuid(), id, 'enrich', CASE WHEN random() < 0.0001 THEN 'rare' ELSE 'timeout' END, 'Transient', '',
       CASE WHEN random() < 0.0001 THEN repeat('a', 16) ELSE repeat('b', 16) END, '', '{}', 6, 0,
       CASE WHEN random() < 0.001 THEN 'requeued' WHEN random() < 0.01 THEN 'open' ELSE 'resolved' END, received_at, '', ''
  FROM signals_signal;
ANALYZE signals_signal, evaluation_decision, evaluation_verdict, audit_deadletter;
"""

PAGES = [
    "events?",
    "events?symbol=BTC",
    "events?symbol=KPEPE",
    "events?source=desk_7",
    "events?status=rejected",
    "events?event_type=OPEN_SIGNAL",
    "events?symbol=ETH&status=published&since=2020-01-01T00:00:00Z",
    "decisions?",
    "decisions?model=chatgpt",
    "decisions?status=timeout",
    "decisions?min_confidence=0.9",
    "decisions?symbol=BTC",
    "decisions?symbol=SOL",
    "decisions?decision=TIGHTEN_STOP",
    "decisions?model=chatgpt&decision=HOLD",
    "verdicts?",
    "verdicts?model=chatgpt&decision=FOLLOW_ENTER",
    "verdicts?symbol=SOL",
    "dlq?",
    "dlq?status=requeued",
    "dlq?status=open",
    "dlq?resolved=false",
    "dlq?reason_code=rare",
    "dlq?fingerprint=aaaaaaaaaaaaaaaa",
    "models?",
    "sources?",
]


def steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from steps(inner)


def heaviest(sql: str) -> tuple[float, str]:
    """The most rows one step of the statement's plan read, dropped or sorted, and which step that was."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        answer = cursor.fetchone()[0]
    plan = json.loads(answer) if isinstance(answer, str) else answer
    return max(
        (step["Actual Loops"] * (step["Actual Rows"] + step.get("Rows Removed by Filter", 0)), step["Node Type"])
        for step in steps(plan[0]["Plan"])
    )


def statements(reader: APIClient, url: str) -> tuple[list[str], str | None]:
    with CaptureQueriesContext(connection) as seen:
        answer = reader.get(url)
    assert answer.status_code == 200, answer.content
    return [query["sql"] for query in seen.captured_queries if query["sql"].startswith("SELECT")], answer.json()["next"]


def test_no_list_walks_the_table(reader: APIClient, client_of: ClientFactory) -> None:
    with connection.cursor() as cursor:
        # What counts is what a plan reads; how long it takes here depends on what else the machine does.
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(FILL)
    EvaluationModel.objects.create(name="silent", vendor="baseline", model_id="silent")
    bound = client_of(allowed_sources=["desk_7", "desk_8"])
    heavy = {}
    for who, client in (("all", reader), ("two sources", bound)):
        client.get("/api/v1/events")
        for path in PAGES:
            url: str | None = f"/api/v1/{path}"
            for depth in ("first", "second"):
                if url is None:
                    break
                sqls, url = statements(client, url)
                rows, node = max(heaviest(sql) for sql in sqls)
                if rows > MOST:
                    heavy[who, path, depth] = (rows, node)
    assert heavy == {}
