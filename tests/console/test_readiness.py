"""The probe of those who take signals: it needs the database, and the database as this code knows it."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from console.migrated import forget_migrations

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _ask_again() -> Iterator[None]:
    forget_migrations()
    yield
    forget_migrations()


def test_pending_migrations_keep_signals_away_until_they_are_applied() -> None:
    recorder = MigrationRecorder(connection)
    newest = MigrationLoader(connection).graph.leaf_nodes("signals")[0]
    recorder.record_unapplied(*newest)
    pending = APIClient().get("/ready?role=ingest")
    assert (pending.status_code, pending.json()["dependencies"]) == (503, {"postgres": "ok", "migrations": "pending"})
    recorder.record_applied(*newest)
    assert APIClient().get("/api/v1/ready?role=ingest").status_code == 200


def test_once_clean_the_probe_costs_one_query() -> None:
    APIClient().get("/ready?role=ingest")
    with CaptureQueriesContext(connection) as seen:
        assert APIClient().get("/ready?role=ingest").status_code == 200
    assert len(seen) == 1


def test_probes_ask_for_no_key() -> None:
    assert APIClient().get("/health").json() == {"status": "ok"}
    assert b"lens_" in APIClient().get("/metrics").content
