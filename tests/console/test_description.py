"""The API as it describes itself: complete, without a warning, the same as committed, and readable with no network."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

ROOT = Path(__file__).resolve().parents[2]
NOT_READY = ("get /api/v1/ready", "503")
REGENERATE = "manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("schema") / "openapi.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(path))
    return path.read_text()


@pytest.fixture(scope="module")
def described(generated: str) -> dict[str, Any]:
    return dict(yaml.safe_load(generated))


def operations(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{method} {path}": what for path, methods in described["paths"].items() for method, what in methods.items()}


def addresses(patterns: list[URLPattern | URLResolver], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        here = prefix + str(pattern.pattern)
        found |= addresses(pattern.url_patterns, here) if isinstance(pattern, URLResolver) else {here}
    return found


def test_what_is_committed_is_what_the_code_says(generated: str) -> None:
    assert (ROOT / "docs" / "openapi.yaml").read_text() == generated, f"run {REGENERATE}"


def test_every_address_of_the_api_is_described(described: dict[str, Any]) -> None:
    ours = {
        address for address in addresses(get_resolver().url_patterns) if address.startswith("api/v1/") and not address.endswith("/")
    }
    assert {"/" + re.sub(r"<\w+:(\w+)>", r"{\1}", address) for address in ours} == set(described["paths"])


def test_every_operation_says_what_it_is_what_it_asks_and_how_it_fails(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1")
    for name, operation in operations(described).items():
        assert operation["summary"], name
        assert operation["description"], name
        problems = {code: answer for code, answer in operation["responses"].items() if code >= "400" and (name, code) != NOT_READY}
        assert "500" in problems, name
        for code, answer in problems.items():
            assert "application/problem+json" in answer["content"], (name, code)
        if not name.endswith(("/health", "/ready", "/metrics", "/{token}")):
            assert {"400", "401", "403"} <= set(problems), name
            assert {"ApiKey": []} in operation["security"], name
            assert {"Bearer": []} in operation["security"], name


def test_handing_over_a_signal_comes_with_examples(described: dict[str, Any]) -> None:
    body = described["paths"]["/api/v1/signals"]["post"]["requestBody"]["content"]["application/json"]
    assert {"Open a long", "Close it"} <= {example.get("summary", name) for name, example in body["examples"].items()}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/docs/", "/api/redoc/"])
def test_the_pages_load_from_here_alone(path: str) -> None:
    page = APIClient().get(path)
    assert page.status_code == 200
    text = page.content.decode()
    assert re.findall(r"(?:https?:)?//[a-z]", text) == []
    needed = re.findall(r'(?:src|href)="/static/([^"]+)"', text)
    assert needed
    assert [name for name in needed if finders.find(name) is None] == []


def test_the_schema_is_served_as_yaml_and_as_json(db: None) -> None:
    assert yaml.safe_load(APIClient().get("/api/schema/").content)["openapi"].startswith("3.1")
    as_json = APIClient().get("/api/schema/", headers={"Accept": "application/json"})
    assert as_json.json()["openapi"].startswith("3.1")
