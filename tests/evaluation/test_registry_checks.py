"""`check_models`, and the admin's action: what is wrong with a model and how to mend it, by one tiny call to it."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from evaluation.models import EvaluationModel
from tests.evaluation.conftest import Simulator
from tests.evaluation.speakers import SPEAKERS

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at:UserWarning")]

Register = Callable[..., EvaluationModel]


def check(*names: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code and the findings."""
    out = StringIO()
    try:
        call_command("check_models", *names, "--json", stdout=out)
    except SystemExit as ended:
        return int(ended.code or 0), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


def test_every_vendor_passes_with_one_call_each(register: Register, simulator: Simulator) -> None:
    register("rules", vendor="baseline", base_url="", key_env="")
    for name, (vendor, path, api) in SPEAKERS.items():
        register(name, vendor=vendor, base_url=f"{simulator.url}{path}", api=api)
    register("off", enabled=False)
    code, findings = check()
    assert code == 0
    assert [(found["name"], found["code"]) for found in findings] == [(name, "ok") for name in sorted([*SPEAKERS, "rules"])]
    assert all(found["tokens_in"] < 600 for found in findings if found["name"] != "rules")
    assert simulator.totals()["received"] == len(SPEAKERS)


@pytest.mark.parametrize(
    ("script", "code", "mend"),
    [
        (("errors", {"preset": "auth"}), "auth_failed", "TESTS_API_KEY"),
        (("errors", {"preset": "not_found"}), "model_not_found", "--model-id"),
        (("errors", {"preset": "insufficient_quota"}), "insufficient_quota", "account"),
        (("errors", {"preset": "rate_limit"}), "rate_limited", "--calls-per-minute"),
        (("errors", {"preset": "overloaded"}), "provider_down", "server answers at"),
        (("errors", {"preset": "bad_request"}), "bad_request", "--temperature"),
        (("faults", {"kind": "hang"}), "timeout", "--timeout-ms"),
        (("faults", {"kind": "body", "body": "<html>"}), "bad_reply", "--base-url"),
        (("answers", {"kind": "length"}), "truncated", "--max-tokens"),
        (("answers", {"kind": "refusal"}), "refused", "another model"),
        (("answers", {"kind": "invalid_json"}), "invalid_json", "--structured"),
        (("answers", {"kind": "schema_error"}), "schema_error", "--structured"),
    ],
)
def test_each_trouble_is_named_with_its_mend(
    register: Register, simulator: Simulator, script: tuple[str, dict[str, Any]], code: str, mend: str
) -> None:
    register(timeout_ms=500)
    simulator.script(*script)
    ended, findings = check()
    assert (ended, findings[0]["ok"], findings[0]["code"]) == (1, False, code)
    assert mend in findings[0]["mend"]
    assert findings[0]["detail"]


def test_a_server_that_takes_no_schema_is_tried_with_less(register: Register, simulator: Simulator) -> None:
    register()
    simulator.script("errors", {"preset": "bad_request", "message": "response_format is not supported", "times": 2})
    assert check()[1][0]["mend"].endswith("model set chatgpt --structured json_object")
    assert simulator.totals()["answered"] == 1


def test_an_address_that_is_no_longer_allowed_is_named(register: Register, settings: Any) -> None:
    register()
    settings.LENS = settings.LENS.model_copy(update={"model_hosts": ("vendors",)})
    assert check()[1][0]["code"] == "host_not_allowed"


def test_only_the_named_are_asked_and_an_unknown_name_is_refused(register: Register, simulator: Simulator) -> None:
    register("one", enabled=False)
    register("two")
    assert [found["name"] for found in check("one")[1]] == ["one"]
    with pytest.raises(CommandError, match="There is no model nobody") as caught:
        check("one", "nobody")
    assert caught.value.returncode == 2
    assert simulator.totals()["received"] == 1


def test_people_read_it_as_lines(register: Register, simulator: Simulator) -> None:
    register()
    simulator.script("errors", {"preset": "not_found"})
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("check_models", stdout=out)
    head, detail, mend = out.getvalue().splitlines()
    assert head.startswith("chatgpt: model_not_found (")
    assert "does not exist" in detail
    assert "model set chatgpt --model-id" in mend


def test_the_admin_asks_too_and_shows_the_vendors_words_escaped(
    register: Register, simulator: Simulator, admin_client: Client
) -> None:
    register()
    simulator.script("errors", {"preset": "bad_request", "message": "<script>alert(1)</script>"})
    page = admin_client.post(
        reverse("admin:evaluation_evaluationmodel_changelist"),
        {"action": "check_connection", "_selected_action": ["chatgpt"]},
        follow=True,
    )
    assert simulator.totals()["received"] > 0
    assert "chatgpt: bad_request" in page.text.lower()
    assert "<script>alert(1)" not in page.text
