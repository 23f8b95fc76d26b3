"""`python -m bench.pages [--rows 1000000]`: the pages over so many decisions, on a database of their own; asserts nothing."""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import django
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import Client

from sandbox.services import Servers

DAYS = 30
_FILL = """
INSERT INTO signals_signal (
       id, event_type, symbol, signal_direction, entry_price, size, ts_utc, source, feature_profile, metadata, caller, fingerprint,
       status, evaluation, buried_from, received_at, claims, attempts, dispatches)
SELECT md5('s' || i)::uuid, 'OPEN_SIGNAL', 'BTC', 'long', 60000, 1, at, 'desk_' || i %% 20, '', '{}', 'key:bench', '',
       'published', 0, '', at, 1, 0, 1
  FROM (SELECT i, now() - interval '1 second' * (i::float / %(signals)s * %(span)s) AS at
          FROM generate_series(1, %(signals)s) i) made;
INSERT INTO evaluation_verdict (
       id, signal_id, evaluation, decision, confidence, fallback, reason, policy, policy_version, votes, disagreement, evaluated_at)
SELECT md5('v' || id)::uuid, id, 0, 'IGNORE', 0.5, false, '', 'majority', 1, '[]', 0, received_at FROM signals_signal;
INSERT INTO evaluation_decision (
       id, signal_id, evaluation, model, status, claimed_at, claims, attempts, decision, confidence, fallback, reason, answer,
       original, adjustments, prompt_version, prompt_hash, payload_hash, schema_hash, model_meta, evaluated_at)
SELECT md5(model || id)::uuid, id, 0, model, CASE WHEN random() < .97 THEN 'ok' ELSE 'timeout' END, received_at, 1, 0, 'IGNORE',
       0.5, false, '', '{}', '{}', '[]', 'core_v1', '', '', '',
       jsonb_build_object('latency_ms', (random() * 4000)::int, 'tokens_in', 1200, 'tokens_out', 100, 'cost_usd', 0.002),
       received_at
  FROM signals_signal, unnest(ARRAY['chatgpt', 'gemini']) model;
"""


def main() -> None:
    """Servers, schema, rows, figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="decisions")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="lens-bench-") as directory:
        Path(directory).chmod(0o755)
        with Servers(Path(directory)) as servers:
            os.environ |= {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url, "LENS_DATA_DIR": directory}
            os.environ |= {"DJANGO_SETTINGS_MODULE": "lens_project.settings.test"}
            django.setup()
            call_command("migrate", verbosity=0)
            _measure(rows)


def _measure(rows: int) -> None:
    # Models exist once Django is set up.
    User = get_user_model()  # noqa: N806
    fold = import_module("console.rollup").fold
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(_FILL, {"signals": rows // 2, "span": DAYS * 86_400})
        cursor.execute("ANALYZE")
    client = Client(headers={"Host": "localhost"})
    client.force_login(User.objects.create_user("bench", is_staff=True))
    print(f"{rows} decisions over {DAYS} days, {settings.DATABASES['default']['HOST']}")
    print(f"fold of all hours, once: {_taken(fold):.0f} ms")
    print(f"fold with nothing to do: {_taken(fold):.0f} ms")
    for path in ("/feed", "/models?span=24h", "/models?span=7d", "/models?span=30d", "/system"):
        client.get(path)
        print(f"{path}: {min(_taken(lambda path=path: client.get(path)) for _ in range(3)):.0f} ms")  # type: ignore[misc]


def _taken(what: Callable[[], object]) -> float:
    started = time.perf_counter()
    what()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
