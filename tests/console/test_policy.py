"""Each kind of page has its Content-Security-Policy, and no page of ours needs an inline script."""

import re

import pytest
from django.test import Client

from console.policy import HEADER

pytestmark = pytest.mark.django_db


def policy(client: Client, path: str) -> dict[str, str]:
    header = client.get(path, headers={"Host": "localhost:8000"})[HEADER]
    return dict(part.strip().partition(" ")[::2] for part in header.split(";"))


def test_pages_may_open_the_sockets_of_this_installation_and_nothing_else(client: Client) -> None:
    found = policy(client, "/")
    assert found["connect-src"] == "'self' ws://localhost:8001"
    assert found["default-src"] == "'self'"
    assert "unsafe" not in str(found)


def test_only_the_admin_may_compile_its_attributes(client: Client, admin_client: Client) -> None:
    found = policy(admin_client, "/admin/")
    assert found["script-src"] == "'self' 'unsafe-eval'"
    assert "unsafe" not in policy(client, "/api/docs/").get("script-src", "")


@pytest.mark.parametrize("path", ["/api/v1/health", "/api/v1/events", "/api/v1/nowhere"])
def test_data_is_no_page(client: Client, path: str) -> None:
    assert policy(client, path)["default-src"] == "'none'"


@pytest.mark.parametrize("path", ["/api/docs/", "/api/redoc/", "/admin/", "/admin/login/"])
def test_no_page_holds_a_script(admin_client: Client, path: str) -> None:
    page = admin_client.get(path, follow=True).content.decode()
    assert [script for script in re.findall(r"<script([^>]*)>", page) if "src=" not in script] == []
    assert re.findall(r"\son\w+=", page) == []


def test_what_is_no_host_name_reaches_no_policy(client: Client) -> None:
    answer = client.get("/", headers={"Host": "evil.example; script-src *"})
    assert answer.status_code == 400
    assert "evil" not in answer[HEADER]
