"""Hooks in the admin: the secret is shown once, a pasted message is read and not stored, and nothing a sender wrote is markup."""

import html
import json
import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from core.clock import iso, now
from signals.hooks.services import reject
from signals.hooks.tokens import hook_behind, issue_token
from signals.models import HookSource, RejectedInput, Signal

pytestmark = pytest.mark.django_db

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "javascript:alert(1)",
    "</textarea><b>",
    "=cmd|'/C calc'!A0",
]
ADDRESS = re.compile(r"/api/v1/hooks/tradingview/(lenshook_[\w-]+)")
PAGE = "/admin/signals/hooksource/"


@pytest.fixture
def hook(db: None) -> HookSource:
    made = HookSource(name="desk_tv", liquidation_distance_pct=10)
    issue_token(made)
    made.save()
    return made


def form(**changes: Any) -> dict[str, Any]:
    return {
        "name": "desk_9",
        "kind": "tradingview",
        "enabled": "on",
        "mapping": "{}",
        "reading": "position",
        "allowed_networks": "",
        **changes,
    }


def test_the_secret_is_shown_in_the_answer_that_made_it_and_never_again(admin_client: Client) -> None:
    answer = admin_client.post(PAGE + "add/", form())
    found = ADDRESS.search(answer.content.decode())
    assert (answer.status_code, "no-store" in answer["Cache-Control"]) == (200, True)
    assert found is not None
    made = HookSource.objects.get(name="desk_9")
    assert hook_behind("tradingview", found[1]) == made
    for page in (PAGE, f"{PAGE}{made.pk}/change/", f"{PAGE}{made.pk}/history/"):
        shown = admin_client.get(page)
        assert shown.status_code == 200
        assert found[1] not in shown.content.decode()
    assert found[1] not in str(list(LogEntry.objects.values()))


def test_a_new_secret_ends_the_old_one_and_needs_a_post(admin_client: Client, hook: HookSource) -> None:
    before = hook.token_hash
    assert admin_client.get(f"{PAGE}{hook.pk}/rotate/").status_code == 405
    found = ADDRESS.search(admin_client.post(f"{PAGE}{hook.pk}/rotate/").content.decode())
    assert found is not None
    assert hook_behind("tradingview", found[1]) == hook
    assert HookSource.objects.get(pk=hook.pk).token_hash != before


def test_selected_hooks_are_revoked(admin_client: Client, hook: HookSource) -> None:
    admin_client.post(PAGE, {"action": "revoke", "_selected_action": [str(hook.pk)]})
    assert HookSource.objects.get(pk=hook.pk).revoked_at is not None
    assert LogEntry.objects.filter(object_id=str(hook.pk)).exists()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"mapping": '{"price": "close"}'}, "no such field"),
        ({"mapping": "["}, "valid JSON"),
        ({"allowed_networks": "10.0.0.1/8"}, "is not a network"),
        ({"name": "desk 9"}, "Enter a valid value"),
        ({"liquidation_distance_pct": "100"}, "less than or equal to"),
        ({"expected_every_s": "0"}, "greater than or equal to 1"),
    ],
)
def test_a_hook_that_makes_no_sense_is_not_saved(admin_client: Client, change: dict[str, str], fault: str) -> None:
    answer = admin_client.post(PAGE + "add/", form(**change))
    assert fault in html.unescape(answer.content.decode())
    assert HookSource.objects.count() == 0


def test_a_pasted_message_shows_the_signal_and_stores_nothing(admin_client: Client, hook: HookSource) -> None:
    body = {
        "ticker": "ETHUSDT.P",
        "action": "sell",
        "market_position": "short",
        "price": "3000",
        "contracts": "1",
        "timenow": iso(now()),
    }
    page = admin_client.post(f"{PAGE}{hook.pk}/try/", {"body": json.dumps(body)}).content.decode()
    assert "It would be this signal" in page
    assert [word for word in ("OPEN_SIGNAL", "short", ">ETH<", "3300 (from this hook") if word not in page] == []
    assert Signal.objects.count() == RejectedInput.objects.count() == 0


def test_a_pasted_message_that_is_no_signal_shows_why(admin_client: Client, hook: HookSource) -> None:
    page = admin_client.post(f"{PAGE}{hook.pk}/try/", {"body": '{"ticker": "ETH", "action": "buy"}'}).content.decode()
    assert "It would be refused" in page
    assert "alone may open or close" in page


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert_everywhere(admin_client: Client, hook: HookSource, text: str) -> None:
    body = json.dumps({"ticker": text, "price": text, "action": text})
    reject(hook, body.encode(), text, f"hint {text}")
    kept = RejectedInput.objects.get()
    pages = [
        admin_client.get("/admin/signals/rejectedinput/"),
        admin_client.get(f"/admin/signals/rejectedinput/{kept.pk}/change/"),
        admin_client.post(f"{PAGE}{hook.pk}/try/", {"body": body}),
        admin_client.post(f"{PAGE}{hook.pk}/try/", {"body": text}),
    ]
    for page in pages:
        shown = page.content.decode()
        assert page.status_code == 200
        assert "alert(1)</script>" not in shown
        assert "<img src=x" not in shown
        assert "</textarea><b>" not in shown
        assert 'href="javascript:alert' not in shown
        assert ">49<" not in shown


def test_the_inbox_is_history(admin_client: Client, hook: HookSource) -> None:
    reject(hook, b"x", "", "hint")
    kept = RejectedInput.objects.get()
    assert admin_client.get("/admin/signals/rejectedinput/add/").status_code == 403
    assert admin_client.post(f"/admin/signals/rejectedinput/{kept.pk}/change/", {"body": "y"}).status_code == 403
    assert admin_client.post(f"{PAGE}{hook.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_clerk_without_the_permission_neither_tries_nor_turns(client: Client, hook: HookSource) -> None:
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    assert client.post(f"{PAGE}{hook.pk}/rotate/").status_code == 403
    assert client.post(f"{PAGE}{hook.pk}/try/", {"body": "{}"}).status_code == 403
    assert Client().post(f"{PAGE}{hook.pk}/rotate/").status_code == 302
