"""What settings do that take effect where a process starts: tried by starting one, or by the launcher's table."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.plan import product, read_plan

ROOT = Path(__file__).resolve().parents[2]
TELL = """
import json
from django.conf import settings as s
d = s.DATABASES["default"]
print(json.dumps({
    "level": s.LOGGING["root"]["level"], "hosts": s.ALLOWED_HOSTS, "data": str(s.LENS.data_dir), "pool": d["OPTIONS"].get("pool"),
    "checks": d["CONN_HEALTH_CHECKS"], "former": s.SECRET_KEY_FALLBACKS, "key": s.SECRET_KEY, "database": d["NAME"], "broker":
    s.CELERY_BROKER_URL, "llm": s.LENS.sandbox_llm_url,
    "cursors": not d["DISABLE_SERVER_SIDE_CURSORS"], "timeouts": d["OPTIONS"].get("options"), "redis": s.REDIS_URL,
    "transport": getattr(s, "CELERY_BROKER_TRANSPORT", None), "options": s.CELERY_BROKER_TRANSPORT_OPTIONS,
    "queue_type": s.CELERY_TASK_CREATE_MISSING_QUEUE_TYPE,
}))
"""


def told(**changes: str) -> dict[str, object]:
    """What a process started in this environment makes of it."""
    environ = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": "postgresql://x@127.0.0.1:1/x",
        "REDIS_URL": "redis://127.0.0.1:1",
        "DJANGO_SETTINGS_MODULE": "lens_project.settings.local",
        "LENS_DATA_DIR": "/nowhere/at/all",
        "DJANGO_SECRET_KEY": "x",
        **changes,
    }
    done = subprocess.run(
        [sys.executable, "-c", TELL], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    return dict(json.loads(done.stdout))


def test_settings_reach_django_where_a_process_starts() -> None:
    usual = told()
    assert (usual["level"], usual["pool"], usual["checks"], usual["former"]) == ("INFO", None, False, [])
    chosen = told(
        LENS_LOG_LEVEL="ERROR",
        LENS_HTTP_HOST="10.9.8.7",
        LENS_ALLOWED_HOSTS="lens.example",
        LENS_DATA_DIR="kept/here",
        LENS_SANDBOX_LLM_URL="http://127.0.0.1:2",
        DATABASE_URL="postgresql://x@127.0.0.1:1/mine",
        REDIS_URL="redis://127.0.0.1:2/7",
        DATABASE_POOL_SIZE="9",
        DATABASE_POOL_WAIT_S="12.5",
        DATABASE_HEALTH_CHECKS="1",
        DJANGO_SECRET_KEY="the key",
        DJANGO_SECRET_KEY_FALLBACKS="older, oldest",
    )
    assert chosen["level"] == "ERROR"
    assert {"10.9.8.7", "lens.example"} <= set(chosen["hosts"])  # type: ignore[call-overload]
    assert chosen["data"] == str(ROOT / "kept/here")
    assert chosen["pool"] == {"min_size": 1, "max_size": 9, "timeout": 12.5}
    assert (chosen["checks"], chosen["former"], chosen["key"]) == (True, ["older", "oldest"], "the key")
    assert (chosen["database"], chosen["broker"], chosen["llm"]) == ("mine", "redis://127.0.0.1:2/0", "http://127.0.0.1:2")


def test_behind_a_pooler_nothing_needs_a_session_of_its_own() -> None:
    usual, pooled = told(), told(DATABASE_TRANSACTION_POOLING="1")
    assert (usual["cursors"], pooled["cursors"]) == (True, False)
    assert "statement_timeout=5000" in str(usual["timeouts"])
    assert pooled["timeouts"] is None


def test_a_rabbitmq_carries_the_tasks_in_quorum_queues_and_redis_the_rest() -> None:
    usual = told()
    assert (usual["transport"], usual["queue_type"]) == ("lens_project.broker:Transport", "classic")
    chosen = told(LENS_BROKER_URL="amqp://lens:secret@127.0.0.1:3/lens")
    assert (chosen["broker"], chosen["transport"], chosen["options"]) == ("amqp://lens:secret@127.0.0.1:3/lens", None, {})
    assert (chosen["queue_type"], chosen["redis"]) == ("quorum", "redis://127.0.0.1:1")


@pytest.mark.parametrize(
    ("variable", "value", "process", "words"),
    [
        ("LENS_HTTP_HOST", "10.9.8.7", "web-0", "--host 10.9.8.7"),
        ("LENS_HTTP_PORT", "8123", "web-0", "--port 8123"),
        ("LENS_WEB_PROCESSES", "3", "web-0", "--workers 3"),
        ("LENS_WS_PORT", "9001", "ws-0", "-p 9001"),
        ("LENS_WS_PROCESSES", "2", "ws-1", "-p 8002"),
        ("LENS_EVALUATE_THREADS", "7", "worker-evaluate", "--concurrency 7"),
    ],
)
def test_settings_reach_the_processes(variable: str, value: str, process: str, words: str) -> None:
    (row,) = [row for row in product(read_plan({variable: value}), {}) if row.name == process]
    assert words in " ".join(row.argv)
