"""Everything under /api/ fails in one form: missing, not allowed, not understood or broken. Every answer has its id."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from access.models import Scope
from console import lists, shapes
from signals.models import Signal
from tests.conftest import SignalFactory
from tests.console.conftest import ClientFactory

pytestmark = pytest.mark.django_db

Judged = Callable[..., Signal]
BODY = {
    "event_type": "OPEN_SIGNAL",
    "symbol": "BINANCE:BTCUSDT.P",
    "signal_direction": "long",
    "entry_price": "60000.50",
    "size": 1,
    "liquidation_price": "54000",
    "ts_utc": "2026-01-05T10:00:00+01:00",
    "source": "desk_7",
}


@pytest.fixture
def sender(client_of: ClientFactory) -> APIClient:
    return client_of(Scope.SIGNALS_WRITE, Scope.EVENTS_READ, Scope.DECISIONS_READ)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("get", "/api", "not_found"),
        ("get", "/api/", "not_found"),
        ("post", "/api/v1/nowhere", "not_found"),
        ("delete", "/api/v2/signals", "not_found"),
        ("get", "/api/v1/signals/", "not_found"),
        ("get", "/api/v1/events/7", "not_found"),
        ("get", "/api/v1/signals", "method_not_allowed"),
        ("post", "/api/v1/events", "method_not_allowed"),
        ("put", "/api/v1/decisions", "method_not_allowed"),
        ("post", "/api/v1/health", "method_not_allowed"),
        ("post", "/api/v1/ready", "method_not_allowed"),
        ("delete", "/api/v1/metrics", "method_not_allowed"),
        ("post", "/api/schema/", "method_not_allowed"),
        ("post", "/api/docs/", "method_not_allowed"),
        ("delete", "/api/redoc/", "method_not_allowed"),
    ],
)
def test_a_wrong_address_or_method_is_a_problem(sender: APIClient, method: str, path: str, code: str) -> None:
    sender.handler.enforce_csrf_checks = True
    answer = getattr(sender, method)(path, headers={"X-Request-ID": "caller-0001"})
    assert answer["Content-Type"] == "application/problem+json"
    assert shapes.Problem.model_validate_json(answer.content, extra="forbid").code == code
    assert answer["X-Request-ID"] == answer.json()["request_id"] == "caller-0001"


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png;q=0.3", "nonsense"])
def test_whatever_is_accepted_the_answer_is_json(sender: APIClient, accept: str) -> None:
    good = sender.get("/api/v1/events", headers={"Accept": accept})
    assert (good.status_code, good["Content-Type"]) == (200, "application/json")
    bad = sender.get("/api/v1/events?limit=0", headers={"Accept": accept})
    assert (bad.status_code, bad["Content-Type"]) == (400, "application/problem+json")


def test_a_foreign_host_is_a_problem(sender: APIClient) -> None:
    answer = sender.get("/api/v1/events", headers={"Host": "elsewhere.example"})
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_a_crash_is_a_bare_500(sender: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def answer(self, _: Any) -> None:
            raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(lists, "EVENTS", Broken())
    sender.raise_request_exception = False
    answer = sender.get("/api/v1/events")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert b"secret" not in answer.content


def test_every_answer_has_an_id_even_when_the_callers_is_unusable(sender: APIClient) -> None:
    for path in ("/api/v1/events", "/api/v1/health", "/api/schema/", "/api/v1/nowhere"):
        answer = sender.get(path, headers={"X-Request-ID": "a b\tc"})
        assert len(answer["X-Request-ID"]) == 36, path


def test_a_thing_unchanged_is_a_304_without_a_body(reader: APIClient, judged: Judged) -> None:
    signal = judged()
    Signal.objects.filter(pk=signal.pk).update(status="published", published_at=signal.received_at)
    for path in (
        f"events/{signal.pk}",
        f"signals/{signal.pk}",
        f"events/{signal.pk}/status",
        f"decisions/{signal.decisions.get().pk}",
    ):
        first = reader.get(f"/api/v1/{path}")
        tag = first["ETag"]
        assert tag.startswith('"'), "strong"
        for held in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            again = reader.get(f"/api/v1/{path}", headers={"If-None-Match": held})
            assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
        assert reader.get(f"/api/v1/{path}", headers={"If-None-Match": '"other"'}).content == first.content
        head = reader.head(f"/api/v1/{path}")
        assert (head.status_code, head.content, head["ETag"]) == (200, b"", tag)


def test_the_tag_changes_with_the_content(reader: APIClient, make_signal: SignalFactory) -> None:
    signal = make_signal()
    Signal.objects.update(status="published", published_at=signal.received_at)
    before = reader.get(f"/api/v1/events/{signal.pk}")["ETag"]
    assert reader.get(f"/api/v1/events/{signal.pk}?expand=payload")["ETag"] == before, "nothing was enriched"
    Signal.objects.update(metadata={"note": "x"})
    assert reader.get(f"/api/v1/events/{signal.pk}")["ETag"] != before


@pytest.mark.parametrize("query", ["expand=everything", "depth=3", "expand=payload&expand=payload"])
def test_a_whole_thing_takes_no_unknown_parameter(reader: APIClient, make_signal: SignalFactory, query: str) -> None:
    assert reader.get(f"/api/v1/events/{make_signal().pk}?{query}").status_code == 400


def test_a_signal_is_checked_and_nothing_stored(sender: APIClient) -> None:
    answer = sender.post("/api/v1/signals/validate", BODY, format="json", headers={"Idempotency-Key": "k-1"})
    assert answer.status_code == 200, answer.content
    shapes.Canonical.model_validate(answer.json(), extra="forbid")
    assert answer.json() == {
        **BODY,
        "symbol": "BTC",
        "entry_price": "60000.5",
        "size": "1",
        "ts_utc": "2026-01-05T09:00:00.000Z",
        "feature_profile": None,
        "metadata": {},
        "idempotency_key": "k-1",
    }
    assert not Signal.objects.exists()


@pytest.mark.parametrize(
    "change", [{"size": 0}, {"symbol": "USD"}, {"liquidation_price": "70000"}, {"extra": 1}, {"idempotency_key": "other"}], ids=str
)
def test_a_check_refuses_what_the_gateway_refuses(sender: APIClient, change: dict[str, Any]) -> None:
    body = {**BODY, **change}
    checked = sender.post("/api/v1/signals/validate", body, format="json", headers={"Idempotency-Key": "k-1"})
    sent = sender.post("/api/v1/signals", body, format="json", headers={"Idempotency-Key": "k-1"})
    assert (checked.status_code, checked.json()["errors"]) == (400, sent.json()["errors"])


def test_a_check_needs_the_scope_and_the_source(client_of: ClientFactory, reader: APIClient) -> None:
    assert reader.post("/api/v1/signals/validate", BODY, format="json").status_code == 403
    other = client_of(Scope.SIGNALS_WRITE, allowed_sources=["desk_8"])
    assert other.post("/api/v1/signals/validate", BODY, format="json").status_code == 403
