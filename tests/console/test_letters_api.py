"""Deciding about dead letters over REST: once, with a note, within what the key may see, and never about all of them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from access.models import Scope
from audit.models import DeadLetter, LetterAct
from audit.services import fingerprint, resolve_requeued
from console import letters
from core.clock import iso, now
from core.errors import Transient
from signals.claims import claim
from signals.models import Signal, Status
from tests.conftest import SignalFactory
from tests.console.conftest import ClientFactory

pytestmark = pytest.mark.django_db(transaction=True)
Burier = Callable[..., DeadLetter]


@pytest.fixture
def bury(make_signal: SignalFactory) -> Burier:
    def make(code: str = "provider_down", **changes: Any) -> DeadLetter:
        signal = make_signal(**changes)
        held = claim(signal.pk, "enrich")
        assert held is not None
        held.bury(Transient(code, "the venue did not answer"))
        return DeadLetter.objects.get(event_id=signal.pk)

    return make


@pytest.fixture
def operator(client_of: ClientFactory) -> APIClient:
    return client_of(Scope.DLQ_WRITE, Scope.EVENTS_READ)


def standing(letter: DeadLetter) -> Signal:
    assert letter.event_id is not None
    return Signal.objects.get(pk=letter.event_id)


def post(client: APIClient, path: str, body: dict[str, Any] | None = None) -> Any:
    return client.post(f"/api/v1/dlq{path}", body or {}, format="json")


def test_a_retry_brings_the_signal_back_once_and_is_written_down(operator: APIClient, bury: Burier) -> None:
    letter = bury()
    first = post(operator, f"/{letter.pk}/retry", {"note": "venue is back"})
    assert (first.status_code, first.json()) == (202, {"id": str(letter.pk), "status": "requeued", "retry_count": 1})
    again = post(operator, f"/{letter.pk}/retry")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert standing(letter).status == Status.QUEUED
    (act,) = operator.get(f"/api/v1/dlq/{letter.pk}").json()["history"]
    assert (act["status"], act["actor"], act["note"]) == ("requeued", "reader", "venue is back")


def test_the_original_identity_is_kept(operator: APIClient, bury: Burier) -> None:
    letter = bury(idempotency_key="k-1")
    before = standing(letter)
    post(operator, f"/{letter.pk}/retry")
    after = standing(letter)
    assert Signal.objects.count() == 1
    for field in ("caller", "idempotency_key", "fingerprint", "received_at", "ts_utc", "entry_price"):
        assert getattr(after, field) == getattr(before, field)


def test_the_payload_is_whole(bury: Burier) -> None:
    letter = bury(metadata={"strategy": "breakout"}, idempotency_key="k-2")
    assert letter.payload["metadata"] == {"strategy": "breakout"}
    assert (letter.payload["idempotency_key"], letter.payload["entry_price"]) == ("k-2", "60000.00000000")


@pytest.mark.parametrize(("verb", "field"), [("resolve", "resolution_note"), ("discard", "note")])
def test_closing_needs_a_note_and_ends_a_dead_signal(operator: APIClient, bury: Burier, verb: str, field: str) -> None:
    letter = bury()
    for body in ({}, {field: ""}, {field: "  "}, {field: "x\x00"}, {field: 7}, {"why": "x"}):
        refused = post(operator, f"/{letter.pk}/{verb}", body)
        assert refused.status_code == 400, body
    done = post(operator, f"/{letter.pk}/{verb}", {field: "sent by hand"})
    assert done.status_code == 200
    assert done.json()["status"] == {"resolve": "resolved", "discard": "discarded"}[verb]
    assert done.json()["resolution_note"] == "sent by hand"
    assert standing(letter).status == Status.FAILED
    assert post(operator, f"/{letter.pk}/{verb}", {field: "again"}).status_code == 409


def test_many_are_counted_first_and_what_comes_later_is_not_among_them(operator: APIClient, bury: Burier) -> None:
    early = [bury(), bury(), bury("timeout")]
    frozen = iso(now())
    late = bury()
    DeadLetter.objects.filter(pk=late.pk).update(created_at=now())
    asked = {"filter": {"stage": "enrich"}, "as_of": frozen}
    looked = post(operator, "/retry", {**asked, "dry_run": True})
    assert looked.status_code == 200
    assert looked.json()["counts"] == [
        {"stage": "enrich", "reason_code": "provider_down", "count": 2},
        {"stage": "enrich", "reason_code": "timeout", "count": 1},
    ]
    assert DeadLetter.objects.filter(status="open").count() == 4
    done = post(operator, "/retry", asked)
    assert (done.status_code, done.json()["requeued"], done.json()["remaining"]) == (202, 3, 0)
    assert set(DeadLetter.objects.filter(status="requeued").values_list("pk", flat=True)) == {letter.pk for letter in early}


@pytest.mark.parametrize("body", [{}, {"filter": {}}, {"filter": {"everything": True}}, {"filter": {"stage": "conclude"}}])
def test_nobody_means_all_of_them(operator: APIClient, bury: Burier, body: dict[str, Any]) -> None:
    bury()
    assert post(operator, "/retry", body).status_code == 400
    assert DeadLetter.objects.get().status == "open"


def test_a_confined_key_decides_about_its_own(client_of: ClientFactory, bury: Burier) -> None:
    ours, theirs = bury(source="desk_7"), bury(source="desk_8")
    confined = client_of(Scope.DLQ_WRITE, allowed_sources=["desk_7"])
    assert post(confined, f"/{theirs.pk}/retry").status_code == 404
    assert post(confined, f"/{theirs.pk}/discard", {"note": "x"}).status_code == 404
    assert post(confined, "/retry", {"filter": {"stage": "enrich"}}).json()["requeued"] == 1
    ours.refresh_from_db()
    assert ours.status == "requeued"


def test_looking_is_not_enough(reader: APIClient, bury: Burier) -> None:
    letter = bury()
    for path, body in ((f"/{letter.pk}/retry", {}), (f"/{letter.pk}/resolve", {"resolution_note": "x"}), ("/retry", {})):
        assert post(reader, path, body).status_code == 403


def test_two_operators_requeue_the_same_letters_at_once_and_each_runs_once(bury: Burier) -> None:
    ids = [bury().pk for _ in range(30)]

    def operate(name: str) -> int:
        try:
            return sum(letters.requeue(ids, name, ""))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(operate, ["ann", "bob"])) == 30
    assert set(DeadLetter.objects.values_list("status", "retry_count")) == {("requeued", 1)}
    assert set(Signal.objects.values_list("status", "evaluation")) == {("queued", 1)}
    assert LetterAct.objects.count() == 30


def test_a_crowd_comes_back_spread_over_time(bury: Burier) -> None:
    ids = [bury().pk for _ in range(letters.SPREAD_PER_S * 3)]
    assert all(letters.requeue(ids, "ann", ""))
    first, *_, last = sorted(at for at in Signal.objects.values_list("next_attempt_at", flat=True) if at)
    assert (last - first).total_seconds() > 1


def test_arrival_resolves_and_says_so(bury: Burier) -> None:
    letter = bury()
    assert all(letters.requeue([letter.pk], "ann", ""))
    with transaction.atomic():
        assert resolve_requeued(letter.event_id) == 1 if letter.event_id else False
    assert list(letter.acts.values_list("status", "actor")) == [("requeued", "ann"), ("resolved", "lens")]


def _broken(value: int) -> Exception:
    try:
        return Exception(value / 0)
    except ZeroDivisionError as error:
        return error


def test_letters_of_one_cause_share_a_fingerprint() -> None:
    assert fingerprint("enrich", _broken(1)) == fingerprint("enrich", _broken(2))
    assert fingerprint("enrich", _broken(1)) != fingerprint("publish", _broken(1))
    assert fingerprint("enrich", _broken(1)) != fingerprint("enrich", ZeroDivisionError("elsewhere"))
