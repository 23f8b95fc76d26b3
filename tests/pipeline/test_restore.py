"""A backup, and the day it is needed: docs/operations.md, step by step, with PostgreSQL's own tools."""

import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from sandbox.binaries import postgres_home
from tests.stack import Lens, manage, running

pytestmark = pytest.mark.stack


def tool(name: str, *arguments: str) -> None:
    subprocess.run([str(postgres_home() / "bin" / name), *arguments], check=True, capture_output=True)


def decided(lens: Lens, body: dict[str, Any]) -> str:
    """A signal that was taken and published; its event id. Sent again, it is the same one."""
    answer = lens.post(body, **{"Idempotency-Key": body["size"]})
    assert answer.status_code in (200, 201), answer.text
    event_id = str(answer.json()["event_id"])
    assert lens.settled([event_id])[event_id]["status"] == "published"
    return event_id


def test_a_restored_log_is_another_one_and_goes_on_without_a_hole(tmp_path: Path) -> None:
    backup = str(tmp_path / "lens.dump")
    with running(tmp_path / "first") as lens:
        database = lens.facts["database"]
        before, after = lens.body(size="0.1"), lens.body(size="0.2")
        kept = decided(lens, before)
        tool("pg_dump", "--format", "custom", "--file", backup, database)
        lost = decided(lens, after)
        known = lens.head()

        restored = urlsplit(database)._replace(path="/restored").geturl()
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("CREATE DATABASE restored")
        tool("pg_restore", "--dbname", restored, backup)
        manage(restored, "migrate", "--verbosity", "0")
        manage(restored, "new_epoch", "--yes")

        same = {"DATABASE_URL": restored, "LENS_HYPERLIQUID_URL": lens.facts["simulators"]["exchange"]}
        with running(tmp_path / "second", LENS_WS_PROCESSES="1", **same) as again:
            again.headers.update(lens.headers)
            again.http.headers.update(lens.headers)
            stands = again.head()
            assert stands["epoch"] != known["epoch"]
            assert stands["head_seq"] < known["head_seq"]
            with again.listen(since={"epoch": known["epoch"], "seq": known["head_seq"]}) as executor:
                executor.until(lambda frame: frame["type"] == "resync")
                assert again.event(kept)["status"] == "published"
                assert again.http.get(f"/api/v1/events/{lost}").status_code == 404
                assert decided(again, before) == kept
                once_more = decided(again, after)
                executor.until_verdicts([once_more])
            seqs = [frame["seq"] for frame in again.frames()]
            assert seqs == list(range(1, len(seqs) + 1))
