"""The admin: nothing stored is live on any page, roles get what is theirs, decisions need a reason, nobody guesses for long."""

import csv
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.core.checks import Tags, run_checks
from django.test import Client
from django.urls import reverse
from redis import Redis

from access.models import ApiKey
from access.services import authenticate
from access.throttling import LOGINS_OF_A_NAME
from audit.models import DeadLetter, TimelineEntry
from console.roles import keep_roles
from core.admin import HouseAdmin
from core.sheets import cell
from enrichment.models import Enrichment
from evaluation.models import Decision, ModelCall
from publishing.models import Frame
from signals.hooks.services import reject
from signals.hooks.tokens import issue_token
from signals.models import HookSource, Pulse, Signal, Source, Status

pytestmark = pytest.mark.django_db
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "javascript:alert(1)",
    "</pre></textarea></title><svg onload=alert(1)>",
    "' autofocus onfocus=alert(1) x='",
    "=cmd|'/C calc'!A0",
]


@pytest.fixture(autouse=True)
def _fresh() -> None:
    admin.autodiscover()
    cache.clear()
    keep_roles()


def member(role: str) -> Client:
    user = User.objects.create_user(role, password="correct horse", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def hostile_rows(judged: Callable[..., Signal]) -> list[Any]:
    """Every text a source, a sender, a vendor or a person may have had stored, with the whole corpus in it."""
    text = " ".join(HOSTILE)
    signal = judged()
    Signal.objects.update(
        symbol=HOSTILE[3][:32], source=HOSTILE[1], metadata={text: text}, idempotency_key=text[:255], rejection={"x": text}
    )
    Source.objects.create(name=HOSTILE[0])
    Decision.objects.update(reason=text[:200], answer={"reasons": HOSTILE}, original={text: 1}, model_meta={"x": text})
    decision = Decision.objects.get()
    call = {"attempt": 1, "outcome": "ok", "latency_ms": 1}
    ModelCall.objects.create(decision=decision, raw_text=text, error=text, finish_reason=HOSTILE[0], **call)
    market = {"profile": "p", "provider": "x", "payload": text, "payload_hash": "0", "quality_flags": {"x": text}, "duration_ms": 1}
    Enrichment.objects.create(signal=signal, provenance={"x": text}, **market)
    TimelineEntry.objects.create(event_id=signal.pk, status=HOSTILE[0][:20], details={"x": text})
    texts = {"error_message": text, "traceback": text, "resolution_note": text, "resolved_by": HOSTILE[0]}
    DeadLetter.objects.create(
        event_id=signal.pk, stage="<b>x", reason_code=HOSTILE[1], error_type=HOSTILE[0], payload={text: text}, **texts
    )
    Frame.objects.update(source=HOSTILE[1], symbol=HOSTILE[0][:32], payload={"x": text})
    Pulse.objects.create(name=HOSTILE[0], details={"x": text})
    ApiKey.objects.create(name=HOSTILE[1], prefix="<b>x</b>", key_hash="h" * 64, scopes=["admin"], allowed_sources=HOSTILE[:2])
    hook = HookSource(name=HOSTILE[1], mapping={"price": text})
    issue_token(hook)
    hook.save()
    reject(hook, text.encode(), HOSTILE[0], text)
    return [signal]


class Live(HTMLParser):
    """What a browser would run, or take for an element of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and not (given.get("src") or "").startswith(("/static/", "/admin/jsi18n/")):
            self.found.append(f"<script {given}>")
        self.found += [f"{tag}.{name}" for name in given if name.startswith("on")]
        self.found += [f"{tag}:{value}" for value in given.values() if value and value.lower().startswith("javascript:alert")]
        if tag == "img" and given.get("src") == "x":
            self.found.append("img")


def live(page: str) -> list[str]:
    parser = Live()
    parser.feed(page)
    return parser.found


def lists() -> list[str]:
    return [reverse(f"admin:{m._meta.app_label}_{m._meta.model_name}_changelist") for m in admin.site._registry]


def details() -> list[str]:
    return [
        reverse(f"admin:{m._meta.app_label}_{m._meta.model_name}_change", args=[row.pk])
        for m in admin.site._registry
        for row in m._default_manager.all()[:2]
    ]


def test_djangos_own_checks_of_all_pages_find_nothing() -> None:
    assert len(admin.site._registry) > 15
    assert run_checks(tags=[Tags.admin]) == []


def test_nothing_stored_is_live_on_any_page(admin_client: Client, hostile_rows: list[Any]) -> None:
    pages = ["/admin/", *lists(), *details(), f"/admin/audit/deadletter/decide/?verb=requeue&ids={DeadLetter.objects.get().pk}"]
    assert len(pages) > 25
    shown = 0
    for path in pages:
        answer = admin_client.get(path)
        assert answer.status_code == 200, path
        page = answer.content.decode()
        assert live(page) == [], path
        shown += "alert(1)" in page
    assert shown > 12


def test_every_page_stands_on_the_house_and_nothing_is_deleted_by_the_dozen() -> None:
    assert [model for model, page in admin.site._registry.items() if not isinstance(page, HouseAdmin)] == []


def test_an_export_is_safe_in_a_spreadsheet_and_holds_no_secret(admin_client: Client, hostile_rows: list[Any]) -> None:
    for path, row in (
        ("signals/source", Source.objects.get(name=HOSTILE[0])),
        ("access/apikey", ApiKey.objects.get(name=HOSTILE[1])),
    ):
        answer = admin_client.post(f"/admin/{path}/", {"action": "export", "_selected_action": [str(row.pk)]})
        text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
        rows = list(csv.reader(io.StringIO(text)))
        assert len(rows) == 2
        assert "key_hash" not in rows[0]
        assert not any(value.lstrip().startswith(("=", "+", "-", "@")) for value in rows[1])
    assert LogEntry.objects.filter(change_message__contains="CSV").count() == 2


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "  =1", "\r=1", "|x", "＝1"])
def test_what_looks_like_a_formula_is_a_text(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert cell(-1) == "-1"


MADE = {"apikey", "evaluationmodel", "hooksource", "webhookendpoint", "price", "budget"}
# Page → what each role may do there: see, change, add.
SEES = {
    "viewer": ({"signal", "deadletter", "decision", "apikey", "evaluationmodel", "source", "logentry", "frame"}, set(), set()),
    "operator": ({"signal", "deadletter", "apikey", "source"}, {"source", "deadletter", "webhookdelivery"}, set()),
    "admin": (
        {"signal", "deadletter", "apikey", "hooksource"},
        {"source", "deadletter", "webhookdelivery", *MADE},
        MADE,
    ),
}


@pytest.mark.parametrize("role", SEES)
def test_each_role_gets_what_is_its_own(role: str) -> None:
    client = member(role)
    sees, changes, adds = SEES[role]
    for model in admin.site._registry:
        name = str(model._meta.model_name)
        base = f"admin:{model._meta.app_label}_{name}"
        looked = client.get(reverse(f"{base}_changelist")).status_code
        assert looked == (403 if name in {"user", "group"} else 200), name
        assert not (name in sees and looked != 200)
        added = client.get(reverse(f"{base}_add")).status_code
        assert added == (200 if name in adds else 403), name
        assert User.objects.get(username=role).has_perm(f"{model._meta.app_label}.change_{name}") == (name in changes), name


def test_a_stranger_and_a_member_without_a_role_see_nothing(client: Client) -> None:
    for path in ["/admin/", "/admin/overview/", *lists(), "/admin/audit/deadletter/decide/?verb=requeue&ids=x"]:
        assert client.get(path).status_code == 302, path
    client.force_login(User.objects.create_user("nobody", password="correct horse", is_staff=True))
    assert b"Ask an administrator" in client.get("/admin/").content
    assert {client.get(path).status_code for path in lists()} == {403}


def dead(signal: Signal, **changes: Any) -> DeadLetter:
    Signal.objects.filter(pk=signal.pk).update(status=Status.DLQ, buried_from=Status.QUEUED)
    given = {"stage": "enrich", "reason_code": "timeout", "error_type": "x", "error_message": "late", **changes}
    return DeadLetter.objects.create(event_id=signal.pk, **given)


def decide(client: Client, verb: str, letters: list[DeadLetter], **given: Any) -> Any:
    body = {"verb": verb, "ids": ",".join(str(letter.pk) for letter in letters), **given}
    return client.post("/admin/audit/deadletter/decide/", body, follow=True)


def test_an_operator_requeues_with_a_note_and_it_is_written_down(make_signal: Any) -> None:
    client, letter = member("operator"), dead(make_signal())
    asked = client.post("/admin/audit/deadletter/", {"action": "requeue", "_selected_action": [str(letter.pk)]})
    assert b"Retry 1 open letter" in asked.content
    assert DeadLetter.objects.get().status == "open"
    assert b"This field is required" in decide(client, "requeue", [letter]).content
    done = decide(client, "requeue", [letter], note="venue is back")
    assert [str(message) for message in done.context["messages"]] == ["Retry: 1 of 1 letters."]
    assert Signal.objects.get().status == Status.QUEUED
    assert list(letter.acts.values_list("actor", "note")) == [("operator", "venue is back")]
    assert "venue is back" in LogEntry.objects.get().change_message
    again = decide(client, "requeue", [letter], note="twice")
    assert [str(message) for message in again.context["messages"]] == ["Retry: 0 of 1 letters; the others were moved before."]


@pytest.mark.parametrize("verb", ["resolved", "discarded"])
def test_closing_ends_the_signal(make_signal: Any, verb: str) -> None:
    letter = dead(make_signal())
    assert b"1 of 1" in decide(member("operator"), verb, [letter], note="seen to").content
    assert (DeadLetter.objects.get().status, Signal.objects.get().status) == (verb, Status.FAILED)


def test_a_viewer_decides_nothing_and_looking_changes_nothing(make_signal: Any) -> None:
    letter = dead(make_signal())
    assert decide(member("viewer"), "discarded", [letter], note="x").status_code == 403
    member("operator").get(f"/admin/audit/deadletter/decide/?verb=discarded&ids={letter.pk}&note=x")
    assert DeadLetter.objects.get().status == "open"


def test_many_are_typed_and_nobody_means_all(make_signal: Any) -> None:
    client = member("operator")
    letters = [dead(make_signal()) for _ in range(51)]
    everything = {"action": "requeue", "select_across": "1", "_selected_action": [str(letters[0].pk)]}
    refused = client.post("/admin/audit/deadletter/", everything, follow=True)
    assert b"Filter first" in refused.content
    asked = client.post("/admin/audit/deadletter/?status__exact=open", everything)
    assert b"Retry 51 open letters" in asked.content
    assert b"Type 51 to go on" in decide(client, "requeue", letters, note="x").content
    assert DeadLetter.objects.filter(status="open").count() == 51
    assert b"51 of 51" in decide(client, "requeue", letters, note="x", number="51").content


def test_a_key_is_made_and_shown_once() -> None:
    client = member("admin")
    body = {"name": "desk", "scopes": ["events:read"], "allowed_sources": "desk_7", "expires_at_0": "", "expires_at_1": ""}
    made = client.post("/admin/access/apikey/add/", body)
    found = re.search(r"lens_[0-9a-f]{8}_[\w-]+", made.content.decode())
    assert found is not None
    assert "no-store" in made["Cache-Control"]
    caller = authenticate(found[0])
    assert caller is not None
    assert caller.allowed_sources == {"desk_7"}
    for path in (*lists(), *details()):
        assert found[0] not in client.get(path).content.decode()
    assert found[0] not in str(list(LogEntry.objects.values()))


def test_guessing_is_slowed_by_name_and_a_right_password_costs_nothing(client: Client) -> None:
    User.objects.create_superuser("boss", password="correct horse")
    with Redis.from_url(f"{settings.REDIS_URL}/0") as redis:
        for key in redis.scan_iter("lens:limit:login:*"):
            redis.delete(key)

    def attempt(password: str, peer: str = "192.0.2.1") -> Any:
        return client.post("/admin/login/", {"username": "Boss", "password": password}, REMOTE_ADDR=peer)

    for number in range(LOGINS_OF_A_NAME):
        assert attempt("wrong", f"192.0.2.{number}").status_code == 200
    held = attempt("wrong", "198.51.100.7")
    assert held.status_code == 429
    assert 0 < int(held["Retry-After"]) <= 600
    assert b"Too many tries" in held.content


def test_the_front_page_links_to_what_it_counts(make_signal: Any) -> None:
    dead(make_signal(), reason_code="provider_down")
    dead(make_signal())
    client = member("viewer")
    page = client.get("/admin/overview/").content.decode()
    link = re.search(r'href="([^"]*reason_code=timeout[^"]*created_at[^"]*)"', page)
    assert link is not None
    listed = client.get(link[1].replace("&amp;", "&"))
    assert listed.status_code == 200
    assert listed.context["cl"].result_count == 1


@pytest.mark.parametrize("term", ["BTC", "nothing", "\x00", "' OR 1=1", "%"])
def test_searching_for_anything_is_no_error(admin_client: Client, make_signal: Any, term: str) -> None:
    signal = make_signal()
    for path in lists():
        assert admin_client.get(path, {"q": term}).status_code == 200, path
    assert admin_client.get("/admin/signals/signal/", {"q": str(signal.pk)}).context["cl"].result_count == 1
