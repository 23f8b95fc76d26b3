"""`POST /hooks/{kind}/{token}`: one alert is one signal, the secret opens one door, and what is refused is kept with a hint."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.test import Client

from access import throttling
from access.windows import Limits
from core.clock import iso, now
from lens_project import pipeline
from signals.hooks import services
from signals.hooks.selectors import silent_sources
from signals.hooks.tokens import hook_behind, issue_token, revoke_token
from signals.models import HookSource, RejectedInput, Signal

pytestmark = pytest.mark.django_db

MakeHook = Callable[..., tuple[HookSource, str]]


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hand-over is another test's business; a resting broker makes it a glance."""
    monkeypatch.setattr(pipeline._broker, "rests_until", float("inf"))


@pytest.fixture
def make_hook(db: None) -> MakeHook:
    def make(**changes: Any) -> tuple[HookSource, str]:
        hook = HookSource(**{"name": "desk_tv", "kind": "tradingview", "liquidation_distance_pct": 10, **changes})
        text = issue_token(hook)
        hook.save()
        return hook, text

    return make


def alert(**changes: Any) -> dict[str, Any]:
    return {
        "ticker": "BTCUSDT.P",
        "action": "buy",
        "market_position": "long",
        "prev_market_position": "flat",
        "price": "60000",
        "contracts": "0.1",
        "timenow": iso(now()),
        **changes,
    }


def send(text: str, body: Any, content_type: str = "application/json", kind: str = "tradingview", **headers: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Client().post(f"/api/v1/hooks/{kind}/{text}", raw, content_type=content_type, **headers)


def test_an_alert_is_a_signal_of_the_hook_s_name(make_hook: MakeHook) -> None:
    hook, text = make_hook()
    answer = send(text, alert())
    assert (answer.status_code, answer.json()["status"], answer.json()["duplicate"]) == (201, "queued", False)
    signal = Signal.objects.get(pk=answer.json()["event_id"])
    assert (signal.source, signal.symbol, signal.caller) == ("desk_tv", "BTC", f"hook:{hook.pk}")
    assert answer["Location"] == f"/api/v1/events/{signal.pk}"
    assert signal.next_attempt_at is not None


@pytest.mark.parametrize(
    "content_type", ["text/plain", "text/plain; charset=utf-8", "application/x-www-form-urlencoded", "image/png"]
)
def test_the_content_type_is_not_looked_at(make_hook: MakeHook, content_type: str) -> None:
    _, text = make_hook()
    assert send(text, alert(), content_type).status_code == 201


def test_pairs_and_both_addresses_and_a_trailing_slash_work(make_hook: MakeHook) -> None:
    _, text = make_hook()
    lines = "\n".join(f"{name}={value}" for name, value in alert().items()).encode()
    assert send(text, lines, "text/plain").status_code == 201
    for address in (f"/hooks/tradingview/{text}", f"/hooks/tradingview/{text}/"):
        answer = Client().post(address, json.dumps(alert(price=str(now().timestamp())[:12])), content_type="text/plain")
        assert answer.status_code == 201, answer.content


def test_a_redelivered_alert_is_the_same_signal_and_another_alert_is_not(make_hook: MakeHook) -> None:
    _, text = make_hook()
    body = json.dumps(alert()).encode()
    answers = [send(text, body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert len({answer.json()["event_id"] for answer in answers}) == 1
    assert answers[1]["Idempotent-Replayed"] == "true"
    assert send(text, alert(price="60001")).status_code == 201
    assert Signal.objects.count() == 2


def test_the_same_body_by_two_hooks_is_two_signals(make_hook: MakeHook) -> None:
    _, first = make_hook()
    _, second = make_hook(name="desk_two")
    body = json.dumps(alert()).encode()
    assert [send(text, body).status_code for text in (first, second)] == [201, 201]


def test_a_redelivery_after_the_mapping_changed_is_still_the_first_signal(make_hook: MakeHook) -> None:
    hook, text = make_hook()
    body = json.dumps(alert()).encode()
    first = send(text, body)
    HookSource.objects.filter(pk=hook.pk).update(liquidation_distance_pct=20)
    again = send(text, body)
    assert (again.status_code, again.json()["event_id"]) == (200, first.json()["event_id"])


def test_without_a_time_repeats_within_a_minute_are_one_signal_and_later_ones_are_new(
    make_hook: MakeHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = make_hook(use_arrival_time=True)
    body = json.dumps(alert(timenow="")).encode()
    start = datetime.fromtimestamp(now().timestamp() // 60 * 60 + 55, now().tzinfo)
    answers = []
    for later in (0, 4, 9, 120):
        monkeypatch.setattr(services, "now", lambda later=later: start + timedelta(seconds=later))
        answers.append(send(text, body))
        Signal.objects.filter(pk=answers[0].json()["event_id"]).update(received_at=start)
    assert [answer.status_code for answer in answers] == [201, 200, 200, 201]


def test_the_sender_s_own_key_counts_and_another_body_under_it_is_refused(make_hook: MakeHook) -> None:
    _, text = make_hook()
    body = alert(idempotency_key="trade-7")
    assert send(text, body).status_code == 201
    assert send(text, json.dumps(body, indent=1).encode()).status_code == 200
    other = send(text, {**body, "price": "61000"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    by_header = [send(text, alert(price="62000", timenow=body["timenow"]), headers={"Idempotency-Key": "h-1"}) for _ in range(2)]
    assert [answer.status_code for answer in by_header] == [201, 200]
    assert Signal.objects.filter(idempotency_key="h-1").count() == 1


def test_keys_that_disagree_are_refused_and_the_message_is_kept(make_hook: MakeHook) -> None:
    _, text = make_hook()
    for header in ("h-1", "not printable\x7f"):
        answer = send(text, alert(idempotency_key="trade-7"), headers={"Idempotency-Key": header})
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
        assert "idempotency_key" in answer.json()["detail"]
    assert RejectedInput.objects.count() == 2
    assert send(text, alert(idempotency_key="trade-7"), headers={"Idempotency-Key": "trade-7"}).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_twenty_deliveries_at_once_are_one_signal(make_hook: MakeHook) -> None:
    _, text = make_hook()
    body = json.dumps(alert()).encode()

    def deliver(_: int) -> int:
        try:
            return int(send(text, body).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(deliver, range(20)))
    assert codes == [200] * 19 + [201]
    assert Signal.objects.count() == 1


# ── the secret ───────────────────────────────────────────────────────────────


def test_only_the_whole_secret_at_its_own_kind_opens(make_hook: MakeHook) -> None:
    hook, text = make_hook()
    wrong = [
        text + "x",
        text[:-1],
        text.upper(),
        "lenshook_",
        "lens_" + text,
        f"lenshook_{hook.prefix}_",
        hook.token_hash,
        "%00",
        f"lenshook_{hook.prefix}_%00",
        "x" * 500,
    ]
    answers = [send(one, alert()) for one in wrong] + [send(text, alert(), kind="generic"), send(text, alert(), kind="no%00thing")]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "not_found")}
    assert Signal.objects.count() == RejectedInput.objects.count() == 0


def test_the_secret_is_nowhere_in_the_database_nor_in_an_answer(make_hook: MakeHook) -> None:
    hook, text = make_hook()
    secret = text.rsplit("_", 1)[1]
    answer = send(text, b"buy now")
    assert secret not in str(HookSource.objects.filter(pk=hook.pk).values().get())
    assert secret not in str(RejectedInput.objects.values().get())
    assert answer.status_code == 400
    assert secret not in answer.content.decode()


def test_a_revoked_a_disabled_and_a_rotated_secret_open_nothing(make_hook: MakeHook) -> None:
    hook, text = make_hook()
    HookSource.objects.filter(pk=hook.pk).update(enabled=False)
    assert send(text, alert()).status_code == 404
    HookSource.objects.filter(pk=hook.pk).update(enabled=True)
    assert revoke_token(hook)
    assert not revoke_token(hook)
    assert send(text, alert()).status_code == 404
    renewed = issue_token(hook)
    hook.save()
    assert [send(one, alert()).status_code for one in (text, renewed)] == [404, 201]
    assert hook_behind("tradingview", renewed) == hook


def test_only_the_named_networks_may_send(make_hook: MakeHook) -> None:
    _, text = make_hook(allowed_networks=["52.89.214.238", "10.0.0.0/8"])
    peers = {"52.89.214.238": 201, "10.9.9.9": 201, "52.89.214.239": 403, "::1": 403, "": 403}
    answers = {peer: send(text, alert(idempotency_key=f"k{peer}"), REMOTE_ADDR=peer).status_code for peer in peers}
    assert answers == peers
    assert send(text, alert(), REMOTE_ADDR="1.2.3.4", headers={"X-Forwarded-For": "10.9.9.9"}).status_code == 403


def test_other_methods_are_refused_without_the_secret_in_the_answer(make_hook: MakeHook) -> None:
    _, text = make_hook()
    answer = Client().get(f"/hooks/tradingview/{text}")
    assert (answer.status_code, answer.json()["code"], answer.json()["instance"]) == (
        405,
        "method_not_allowed",
        "/hooks/tradingview/…",
    )


# ── what is refused ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (b"buy BTC now", "neither JSON nor a name with a value"),
        (b'{"ticker": "BTC"\n"action": "buy"}', "line 2, column 1: a comma is missing"),
        (json.dumps(alert()).replace('"60000"', "NaN").encode(), "NaN is not a JSON number"),
        (json.dumps(alert()).replace('"60000"', "1e999").encode(), "entry_price: Send a number"),
        (b'{"ticker": \x00"BTC"}', "not valid JSON"),
        (json.dumps(alert(contracts="")).encode(), "size: nothing found"),
        (json.dumps(alert(timenow="yesterday")).encode(), "ts_utc: Send RFC 3339 with a zone"),
        (json.dumps(alert(ticker="BTC'; DROP TABLE signals_signal; --")).encode(), "symbol: "),
        (json.dumps(alert(ticker="{{ticker}}")).encode(), "symbol: the placeholder {{ticker}} was not filled in"),
        (b"\x00\xff" * 9, "not UTF-8"),
        (b"", "empty"),
    ],
)
def test_bad_input_is_a_400_with_a_hint_and_is_kept(make_hook: MakeHook, body: bytes, hint: str) -> None:
    hook, text = make_hook()
    answer = send(text, body, "text/plain")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert hint in answer.json()["detail"]
    kept = RejectedInput.objects.get()
    told = answer.json()["detail"].replace("\x00", "\ufffd")
    assert (kept.hook, kept.hint, kept.content_type) == (hook, told, "text/plain" if body else "")
    assert kept.body == body.decode("utf-8", "replace").replace("\x00", "\ufffd")
    assert Signal.objects.count() == 0


def test_what_the_value_was_and_where_it_stood_is_said(make_hook: MakeHook) -> None:
    _, text = make_hook()
    assert (
        "entry_price: Send a number or a plain decimal string. (found “60,000” at price)"
        in send(text, alert(price="60,000")).json()["detail"]
    )


def test_passwords_in_a_refused_body_are_not_kept(make_hook: MakeHook) -> None:
    _, text = make_hook()
    send(text, b'{"secret": "hunter2", "apiKey":"K-99", "passphrase" : "open sesame", "ticker": "BTC"}')
    send(text, b"token=hunter2;\nticker=BTC")
    kept = " ".join(RejectedInput.objects.values_list("body", flat=True))
    assert [word for word in ("hunter2", "K-99", "sesame") if word in kept] == []
    assert '"ticker": "BTC"' in kept


def test_a_body_over_the_limit_is_a_413_and_not_kept(make_hook: MakeHook) -> None:
    _, text = make_hook()
    answer = send(text, b" " * 65_537)
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    assert send(text, b" " * 65_536).status_code == 400
    assert RejectedInput.objects.count() == 1


def test_the_inbox_is_bounded_for_each_hook_and_the_oldest_go(make_hook: MakeHook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "KEPT_PER_HOOK", 3)
    first, text = make_hook()
    other, other_text = make_hook(name="desk_two")
    send(other_text, b"first of the other")
    for number in range(5):
        send(text, f"message {number}".encode())
    assert [kept.body for kept in first.rejected.all()] == ["message 4", "message 3", "message 2"]
    assert other.rejected.count() == 1


def test_without_the_database_the_sender_is_told_to_try_again(make_hook: MakeHook) -> None:
    _, text = make_hook()

    def down(*_: object) -> object:
        raise OperationalError("the connection is closed")

    with connection.execute_wrapper(down):
        answer = send(text, alert())
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "unavailable", "5")


def test_a_hook_has_a_limit_of_its_own_and_redeliveries_are_free(make_hook: MakeHook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "_defaults", lambda: Limits(per_minute=0, burst=2))
    _, text = make_hook()
    _, other = make_hook(name="desk_two")
    bodies = [json.dumps(alert(price=str(60_000 + step))).encode() for step in range(3)]
    answers = [send(text, body) for body in (*bodies, bodies[0])]
    assert [answer.status_code for answer in answers] == [201, 201, 429, 200]
    assert RejectedInput.objects.get().hint.startswith("Too many signals")
    assert int(answers[2]["Retry-After"]) > 0
    assert send(other, bodies[2]).status_code == 201


# ── heartbeat ────────────────────────────────────────────────────────────────


def test_a_hook_is_silent_when_nothing_came_for_as_long_as_expected(make_hook: MakeHook) -> None:
    hook, text = make_hook(expected_every_s=900)
    make_hook(name="unwatched")
    assert list(silent_sources()) == []
    HookSource.objects.update(created_at=Now() - timedelta(seconds=901))
    assert list(silent_sources()) == [hook]
    send(text, b"even a bad one was heard")
    assert list(silent_sources()) == []
    HookSource.objects.update(last_heard_at=Now() - timedelta(seconds=901))
    assert list(silent_sources()) == [hook]
    assert "lens_sources_silent 1.0" in Client().get("/metrics").content.decode()
    revoke_token(hook)
    assert list(silent_sources()) == []
