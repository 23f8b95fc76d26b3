"""What migrations may take."""

import pytest
from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal
from django.db import connection

pytestmark = pytest.mark.django_db


def patience() -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
        statement, lock = cursor.fetchone()
    return statement, lock


def test_a_migration_has_all_the_time_it_needs_and_nothing_else_has() -> None:
    usual = patience()
    assert usual == ("5s", "3s")
    emit_pre_migrate_signal(verbosity=0, interactive=False, db="default")
    assert patience() == ("0", "3s")
    emit_post_migrate_signal(verbosity=0, interactive=False, db="default")
    assert patience() == usual
