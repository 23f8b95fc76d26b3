"""The environment makes sense or nothing starts, and every fault is told at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lens_project.settings.loading import SettingsError, load, unknown

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("variable", "says"),
    [
        ("LENS_MAX_DRIFT_BP", "did you mean LENS_MAX_DRIFT_BPS?"),
        ("LENS_HEARTBEATS", "did you mean LENS_HEARTBEAT_S?"),
        ("LENS_QQQQ", "no such setting"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(variable: str, says: str) -> None:
    (sentence,) = unknown({variable: "1"})
    assert variable in sentence
    assert says in sentence


@pytest.mark.parametrize("variable", ["LENS_WEB_SERVICE_HOST", "LENS_WEB_PORT_8000_TCP", "LENS_MARKET", "PATH", "LENSX"])
def test_what_a_cluster_injects_and_what_is_known_is_no_fault(variable: str) -> None:
    assert unknown({variable: "x"}) == []


def test_all_faults_are_told_at_once_and_no_secret_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LENS_MARKET", "moon")
    monkeypatch.setenv("LENS_MAX_DRIFT_BPS", "-1")
    monkeypatch.setenv("LENS_CONSENSUS", "quorum:0")
    monkeypatch.setenv("LENS_TRUSTED_NETWORKS", "10.0.0.0/8, nonsense")
    monkeypatch.setenv("LENS_SPEED", "9")
    monkeypatch.setenv("LENS_SENTRY_DSN", "https://sentry.example/canary")
    monkeypatch.setenv("DATABASE_URL", "mysql://canary@127.0.0.1/x")
    monkeypatch.setenv("REDIS_URL", "canary.example:6379")
    monkeypatch.setenv("DATABASE_POOL_SIZE", "many")
    monkeypatch.delenv("DJANGO_SECRET_KEY", raising=False)
    monkeypatch.setenv("DJANGO_SECRET_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(SettingsError) as refused:
        load()
    told = {line.split(":")[0].strip(): line for line in str(refused.value).splitlines()[1:]}
    assert set(told) == {
        "LENS_MARKET",
        "LENS_MAX_DRIFT_BPS",
        "LENS_CONSENSUS",
        "LENS_TRUSTED_NETWORKS",
        "LENS_SPEED",
        "LENS_SENTRY_DSN",
        "DATABASE_URL",
        "REDIS_URL",
        "DATABASE_POOL_SIZE",
        "DJANGO_SECRET_KEY_FILE",
    }
    assert "postgresql://user:password@host" in told["DATABASE_URL"]
    assert "(it is '-1')" in told["LENS_MAX_DRIFT_BPS"]
    assert "canary" not in str(refused.value)


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENS_ALLOWED_HOSTS", "lens.example, api.example")
    monkeypatch.setenv("LENS_TRUSTED_NETWORKS", "10.0.0.0/8,::1/128")
    loaded = load().lens
    assert loaded.allowed_hosts == ("lens.example", "api.example")
    assert [str(network) for network in loaded.trusted_networks] == ["10.0.0.0/8", "::1/128"]


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "DJANGO_SECRET_KEY", "LENS_SENTRY_DSN"])
def test_a_secret_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    value = {"DATABASE_URL": "postgresql://a:b@h/n", "REDIS_URL": "redis://:b@h:1", "LENS_SENTRY_DSN": "https://k@h/7"}.get(
        name, "k" * 60
    )
    (tmp_path / "secret").write_text(f"{value}\n")
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    loaded = load()
    assert value in (
        loaded.servers.database_url,
        loaded.servers.redis_url,
        loaded.servers.django_secret_key,
        loaded.lens.sentry_dsn,
    )
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name} and {name}_FILE are both set"):
        load()


def production(**changes: str) -> subprocess.CompletedProcess[str]:
    environ = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": "postgres://x@127.0.0.1:1/x",
        "REDIS_URL": "redis://127.0.0.1:1",
        "DJANGO_SETTINGS_MODULE": "lens_project.settings.production",
        **changes,
    }
    argv = [sys.executable, "-W", "ignore", "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(argv, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_production_refuses_to_start_without_its_names() -> None:
    told = production().stderr
    assert "DJANGO_SECRET_KEY: must be set" in told
    assert "LENS_ALLOWED_HOSTS: must name" in told
    assert "20 characters are too few" in production(DJANGO_SECRET_KEY="x" * 20, LENS_ALLOWED_HOSTS="lens.example").stderr


def test_production_passes_djangos_own_deployment_check(tmp_path: Path) -> None:
    secret = "".join(chr(33 + number % 90) for number in range(7, 80))
    done = production(DJANGO_SECRET_KEY=secret, LENS_ALLOWED_HOSTS="lens.example", LENS_DATA_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr


STACK = {"market": "sandbox", "simulators": {"exchange": "http://127.0.0.1:1", "llm": "http://127.0.0.1:2"}}


@pytest.mark.parametrize(
    ("environ", "market", "url"),
    [
        ({}, "sandbox", "http://127.0.0.1:1"),
        ({"LENS_MARKET": "sandbox"}, "sandbox", "http://127.0.0.1:1"),
        ({"LENS_MARKET": "hyperliquid"}, "hyperliquid", "https://api.hyperliquid.xyz"),
        ({"LENS_HYPERLIQUID_URL": "http://127.0.0.1:3"}, "sandbox", "http://127.0.0.1:3"),
    ],
)
def test_a_command_in_another_shell_asks_the_market_the_stack_runs_on(
    tmp_path: Path, environ: dict[str, str], market: str, url: str
) -> None:
    (tmp_path / "run").mkdir()
    facts = {**STACK, "database": "postgres://x@127.0.0.1:1/x", "redis": "redis://127.0.0.1:1", "secret_key": "x"}
    (tmp_path / "run" / "stack.json").write_text(json.dumps(facts))
    told = "from django.conf import settings; print(settings.LENS.market, settings.LENS.hyperliquid_url)"
    base = {"PATH": os.environ["PATH"], "LENS_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "lens_project.settings.local"}
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=ROOT, env={**base, **environ}, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == [market, url]
