"""Webhooks in the admin: secrets are seen once, bad targets are refused with a reason, actions do what they say."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from standardwebhooks import Webhook

from core.clock import now
from core.ids import uuid7
from publishing.webhooks import outcomes
from publishing.webhooks.deliveries import hold, load
from publishing.webhooks.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks.sending import Answer
from publishing.webhooks.signing import sign
from signals.models import Signal
from tests.publishing.receivers import LOOPBACK, endpoint

pytestmark = pytest.mark.django_db

PAGE = "/admin/publishing/webhookendpoint/"
SECRET = re.compile(r'<pre id="webhook-secret">(whsec_[\w+/=]+)</pre>')


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.LENS = settings.LENS.model_copy(update={"webhook_allow_private": LOOPBACK})


def form(**changes: Any) -> dict[str, Any]:
    return {"name": "exec a", "url": "http://127.0.0.1:9/hook", "filter": '{"symbol": ["BTC"]}', "max_in_flight": "1", **changes}


def shown_secret(page: bytes) -> str:
    found = SECRET.search(html.unescape(page.decode()))
    assert found is not None
    return found[1]


def test_the_secret_is_shown_in_the_answer_that_made_it_and_never_again(
    admin_client: Client, publish: Callable[..., Signal]
) -> None:
    publish()
    answer = admin_client.post(PAGE + "add/", form())
    secret = shown_secret(answer.content)
    assert "no-store" in answer["Cache-Control"]
    made = WebhookEndpoint.objects.get()
    assert (made.position, made.filter, made.state) == (1, {"symbol": ["BTC"]}, "active")
    assert Webhook(secret).verify("{}", sign(made, "msg", "{}", now())) == {}
    for page in (PAGE, f"{PAGE}{made.pk}/change/", f"{PAGE}{made.pk}/history/"):
        shown = admin_client.get(page)
        assert shown.status_code == 200
        assert secret not in html.unescape(shown.content.decode())
    assert secret not in str(list(LogEntry.objects.values()))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"url": "https://10.0.0.1/"}, "is no public address"),
        ({"url": "https://169.254.169.254/"}, "is no public address"),
        ({"url": "ftp://example.com/"}, "Give a whole address"),
        ({"url": "http://127.0.0.1@10.0.0.1/"}, "Leave out user"),
        ({"url": "http://no-such-host.invalid/"}, "cannot be resolved"),
        ({"filter": '{"colour": ["red"]}'}, "colour: Extra inputs"),
        ({"filter": '{"model": ["hal"]}'}, "no such model: hal"),
        ({"filter": "[]"}, "A filter is an object"),
        ({"filter": "{"}, "valid JSON"),
        ({"max_in_flight": "17"}, "less than or equal to 16"),
    ],
)
def test_an_endpoint_that_makes_no_sense_is_not_saved(admin_client: Client, change: dict[str, str], fault: str) -> None:
    answer = admin_client.post(PAGE + "add/", form(**change))
    assert fault in html.unescape(answer.content.decode())
    assert WebhookEndpoint.objects.count() == 0


def test_a_change_leaves_the_couriers_columns_alone(admin_client: Client) -> None:
    made, _ = endpoint("http://127.0.0.1:9/")
    before = WebhookEndpoint.objects.get()
    WebhookEndpoint.objects.update(position=7)
    admin_client.post(f"{PAGE}{made.pk}/change/", form(name="exec b", filter="{}"))
    after = WebhookEndpoint.objects.get()
    assert (after.name, after.filter, after.position, after.salt) == ("exec b", {}, 7, before.salt)


def test_a_new_secret_overlaps_unless_the_old_one_leaked(admin_client: Client) -> None:
    made, old = endpoint()
    assert admin_client.get(f"{PAGE}{made.pk}/rotate/").status_code == 405
    new = shown_secret(admin_client.post(f"{PAGE}{made.pk}/rotate/").content)
    headers = sign(WebhookEndpoint.objects.get(), "msg", "{}", now())
    assert [Webhook(secret).verify("{}", headers) for secret in (old, new)] == [{}, {}]
    shown_secret(admin_client.post(f"{PAGE}{made.pk}/rotate/", {"at_once": "1"}).content)
    assert WebhookEndpoint.objects.get().previous_until is None
    assert LogEntry.objects.filter(change_message__contains="Secret rotated").count() == 2


def test_pause_and_resume_are_actions_with_a_trace(admin_client: Client) -> None:
    made, _ = endpoint()
    for action, state in (("pause", "paused"), ("resume", "active"), ("pause", "paused"), ("resume_from_now", "active")):
        admin_client.post(PAGE, {"action": action, "_selected_action": [str(made.pk)]})
        assert WebhookEndpoint.objects.get().state == state
    assert LogEntry.objects.filter(object_id=str(made.pk)).count() == 4


def test_a_test_post_tells_its_outcome(admin_client: Client) -> None:
    made, _ = endpoint("http://127.0.0.1:9/")
    page = admin_client.post(f"{PAGE}{made.pk}/try/", follow=True).content.decode()
    assert "ConnectError" in page


def test_a_test_post_to_an_address_that_none_can_go_to_says_so(admin_client: Client) -> None:
    made, _ = endpoint("https://☃.net/")
    answer = admin_client.post(f"{PAGE}{made.pk}/try/", follow=True)
    assert (answer.status_code, "Nothing can be sent to this address" in answer.content.decode()) == (200, True)


def test_missing_frames_are_replayed_and_dead_ones_sent_again(admin_client: Client, publish: Callable[..., Signal]) -> None:
    made, _ = endpoint()
    publish()
    publish()
    courier = uuid7()
    hold(courier)
    loaded = load(courier, made.pk)
    assert loaded is not None
    outcomes.delivered(loaded.due[0], Answer(204, 1, ""))
    admin_client.post("/admin/publishing/webhookdelivery/", {"action": "send_again", "_selected_action": [str(loaded.due[0].pk)]})
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"pending"}
    page = admin_client.post(f"{PAGE}{made.pk}/replay/", {"since": "0"}, follow=True).content.decode()
    assert "What never arrived after 0 is on its way" in page
    assert WebhookEndpoint.objects.get().position == 0
    assert "whole number" in admin_client.post(f"{PAGE}{made.pk}/replay/", {"since": "-1"}, follow=True).content.decode()


def test_what_a_destination_answered_is_inert(admin_client: Client, publish: Callable[..., Signal]) -> None:
    endpoint(name="<script>alert(1)</script>")
    publish()
    courier = uuid7()
    (made,) = hold(courier)
    loaded = load(courier, made)
    assert loaded is not None
    outcomes.delivered(loaded.due[0], Answer(200, 1, "<script>alert(1)</script>"))
    pages = [PAGE, f"{PAGE}{made}/change/", "/admin/publishing/webhookdelivery/"]
    pages.append(f"/admin/publishing/webhookdelivery/{loaded.due[0].pk}/change/")
    for page in pages:
        shown = admin_client.get(page)
        assert shown.status_code == 200
        assert "<script>alert(1)" not in shown.content.decode()


def test_a_clerk_without_the_permission_does_none_of_it(client: Client) -> None:
    made, _ = endpoint()
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    for name in ("rotate", "try", "replay"):
        assert client.post(f"{PAGE}{made.pk}/{name}/").status_code == 403
        assert Client().post(f"{PAGE}{made.pk}/{name}/").status_code == 302
    assert client.post(f"{PAGE}{made.pk}/delete/", {"post": "yes"}).status_code == 403
