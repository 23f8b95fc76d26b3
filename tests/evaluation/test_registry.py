"""The registry from a shell and in the admin: what it takes, what it refuses, and that history cannot be touched."""

import json
import time
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from evaluation.models import Decision, EvaluationModel, ModelCall, Verdict
from evaluation.selectors import enabled_models, registered
from signals.models import Signal

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("empty_registry"),
    # Static files are collected only where they are served.
    pytest.mark.filterwarnings("ignore:No directory at:UserWarning"),
]

DEFAULTS = {
    "base_url": "",
    "key_env": "",
    "timeout_ms": 20_000,
    "max_tokens": 1_000,
    "temperature": None,
    "structured": "strict_schema",
    "api": "chat",
    "effort": "",
    "prompt_version": "core_v1",
    "max_in_flight": None,
    "calls_per_minute": None,
    "daily_budget_usd": None,
}


def command(*arguments: str) -> Any:
    out = StringIO()
    call_command("model", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_a_model_is_added_changed_disabled_and_listed() -> None:
    added = command("add", "rules", "--vendor", "baseline", "--model-id", "baseline-v1")
    assert added == {"name": "rules", "vendor": "baseline", "model_id": "baseline-v1", "enabled": True, **DEFAULTS}
    changed = command("set", "rules", "--timeout-ms", "500")
    assert changed == {**added, "timeout_ms": 500}
    assert command("disable", "rules")["enabled"] is False
    assert command("list") == [{**changed, "enabled": False}]
    assert command("enable", "rules")["enabled"] is True


def test_bounds_are_set_and_taken_away_again() -> None:
    command("add", "rules", "--vendor", "baseline", "--model-id", "baseline-v1")
    bounds = [
        "--max-in-flight",
        "4",
        "--calls-per-minute",
        "60",
        "--daily-budget-usd",
        "2.50",
        "--temperature",
        "0",
        "--effort",
        "low",
    ]
    changed = command("set", "rules", *bounds)
    names = ("max_in_flight", "calls_per_minute", "daily_budget_usd", "temperature", "effort")
    assert [changed[name] for name in names] == [4, 60, "2.5", 0.0, "low"]
    freed = command("set", "rules", *(word if word.startswith("--") else "none" for word in bounds))
    assert [freed[name] for name in names] == [None, None, None, None, ""]


@pytest.mark.django_db(transaction=True)
def test_a_change_by_anybody_takes_effect_within_two_seconds() -> None:
    """Another process changes rows; this one is told nothing."""
    assert enabled_models() == []
    EvaluationModel.objects.create(name="rules", vendor="baseline", model_id="baseline-v1")
    eventually(lambda: enabled_models() == ["rules"])
    EvaluationModel.objects.update(enabled=False, timeout_ms=700)
    eventually(lambda: enabled_models() == [])
    model = registered("rules")
    assert model is not None
    assert model.timeout_ms == 700


def eventually(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000/v1", "https://api.deepseek.com", "http://localhost:11434/v1"])
def test_addresses_of_compatible_vendors_are_taken(url: str) -> None:
    assert command("add", "x", "--vendor", "openai_compatible", "--model-id", "m", "--base-url", url)["base_url"] == url


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--vendor", "openai_compatible"], "base_url"),
        (["--vendor", "openai_compatible", "--base-url", "ftp://host/v1"], "base_url"),
        (["--vendor", "openai_compatible", "--base-url", "file:///etc/passwd"], "base_url"),
        (["--vendor", "openai_compatible", "--base-url", "http://user:secret@host/v1"], "base_url"),
        (["--vendor", "openai_compatible", "--base-url", "http://"], "base_url"),
        (["--vendor", "openai"], "key_env"),
        (["--vendor", "openai", "--key-env", "DJANGO_SECRET_KEY"], "key_env"),
        (["--vendor", "openai", "--key-env", "sk-0123"], "key_env"),
        (["--vendor", "google"], "key_env"),
        (["--vendor", "anthropic"], "key_env"),
        (["--vendor", "mistral"], "vendor"),
        (["--vendor", "openai_compatible", "--base-url", "http://10.0.0.7/v1"], "LENS_MODEL_HOSTS"),
        (["--vendor", "openai_compatible", "--base-url", "https://evil.example/v1"], "LENS_MODEL_HOSTS"),
        (["--vendor", "google", "--key-env", "A_API_KEY", "--base-url", "http://169.254.169.254/"], "LENS_MODEL_HOSTS"),
        (["--vendor", "baseline", "--timeout-ms", "soon"], "timeout_ms"),
        (["--vendor", "baseline", "--temperature", "nan"], "temperature"),
        (["--vendor", "baseline", "--temperature", "2.1"], "temperature"),
        (["--vendor", "baseline", "--max-tokens", "none"], "max_tokens"),
        (["--vendor", "baseline", "--structured", "loose"], "structured"),
        (["--vendor", "baseline", "--max-in-flight", "0"], "max_in_flight"),
        (["--vendor", "baseline", "--daily-budget-usd", "-1"], "daily_budget_usd"),
        (["--vendor", "baseline", "--timeout-ms", "99"], "timeout_ms"),
        (["--vendor", "baseline", "--timeout-ms", "120001"], "timeout_ms"),
        (["--vendor", "baseline", "--prompt-version", "core_v9"], "prompt_version"),
    ],
)
def test_what_could_never_work_is_refused_with_the_fields_name(arguments: list[str], named: str) -> None:
    with pytest.raises(CommandError, match=named) as caught:
        command("add", "x", "--model-id", "m", *arguments)
    assert caught.value.returncode == 2
    assert not EvaluationModel.objects.exists()


def test_a_name_is_taken_once_and_an_unknown_one_is_named() -> None:
    command("add", "rules", "--vendor", "baseline", "--model-id", "baseline-v1")
    with pytest.raises(CommandError, match="already exists"):
        command("add", "rules", "--vendor", "baseline", "--model-id", "baseline-v1")
    with pytest.raises(CommandError, match="There is no model 'nobody'"):
        command("enable", "nobody")


HOSTILE = '<script>alert("x")</script>'


def test_the_admin_shows_history_escaped_and_lets_nobody_change_it(admin_client: Client, make_signal: Any) -> None:
    signal: Signal = make_signal()
    row = Decision.objects.create(
        signal=signal, model="chatgpt", status="ok", decision="IGNORE", reason=HOSTILE, answer={"reasons": [HOSTILE]}
    )
    ModelCall.objects.create(decision=row, attempt=1, outcome="ok", latency_ms=1, raw_text=HOSTILE)
    verdict = Verdict.objects.create(
        signal=signal, decision="IGNORE", policy="majority", votes=[], disagreement=0.0, reason=HOSTILE
    )
    for thing, name in ((row, "decision"), (verdict, "verdict")):
        assert admin_client.get(reverse(f"admin:evaluation_{name}_changelist")).status_code == 200
        page = admin_client.get(reverse(f"admin:evaluation_{name}_change", args=[thing.pk]))
        assert HOSTILE not in page.text
        assert "&lt;script&gt;" in page.text
        assert 'name="_save"' not in page.text
        assert admin_client.get(reverse(f"admin:evaluation_{name}_delete", args=[thing.pk])).status_code == 403
        assert admin_client.get(reverse(f"admin:evaluation_{name}_add")).status_code == 403


def test_the_admin_adds_models_under_the_same_rules(admin_client: Client) -> None:
    form = {"name": "x", "vendor": "openai", "model_id": "m", "base_url": "gopher://x", "key_env": "PATH", "timeout_ms": 20_000,
            "max_tokens": 1_000, "prompt_version": "core_v1", "structured": "json_schema", "api": "chat"}  # fmt: skip
    page = admin_client.post(reverse("admin:evaluation_evaluationmodel_add"), form)
    assert page.status_code == 200
    assert "Use http:// or https://" in page.text
    assert (
        admin_client.post(
            reverse("admin:evaluation_evaluationmodel_add"), {**form, "base_url": "", "key_env": "OPENAI_API_KEY"}
        ).status_code
        == 302
    )
    model = EvaluationModel.objects.get()
    assert (model.key_env, model.structured) == ("OPENAI_API_KEY", "json_schema")
