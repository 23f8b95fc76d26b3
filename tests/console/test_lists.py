"""What the lists answer: filters, order, shapes, and only what a key may see."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pydantic import BaseModel
from rest_framework.test import APIClient

from access.models import Scope
from audit.models import DeadLetter
from console import letter_shapes, shapes
from core.clock import iso, now
from evaluation.models import Breaker, Decision, EvaluationModel, Spend, Verdict
from publishing.services import publish_decision, publish_verdict
from signals.models import Signal, Source, Status
from tests.conftest import SignalFactory
from tests.console.conftest import ClientFactory
from tests.publishing.conftest import conclude, judge

pytestmark = pytest.mark.django_db

Judged = Callable[..., Signal]
LISTS = ("events", "decisions", "verdicts", "dlq", "models", "sources")
SHAPES: dict[str, type[BaseModel]] = {
    "events": shapes.EventPage,
    "decisions": shapes.DecisionPage,
    "verdicts": shapes.VerdictPage,
    "dlq": shapes.LetterPage,
    "models": shapes.ModelPage,
    "sources": shapes.SourcePage,
}


def results(reader: APIClient, path: str, **query: Any) -> list[dict[str, Any]]:
    answer = reader.get(f"/api/v1/{path}", query)
    assert answer.status_code == 200, answer.content
    return list(answer.json()["results"])


def letter(signal: Signal | None = None, **columns: Any) -> DeadLetter:
    fields = {"stage": "enrich", "reason_code": "provider_down", "error_type": "Transient", "error_message": "no answer"}
    return DeadLetter.objects.create(event_id=None if signal is None else signal.pk, **{**fields, **columns})


def test_every_list_and_every_whole_thing_has_the_shape_that_is_described(reader: APIClient, judged: Judged) -> None:
    signal = judged()
    dead = letter(signal)
    for path, shape in SHAPES.items():
        answer = reader.get(f"/api/v1/{path}").json()
        assert answer["results"], path
        shape.model_validate(answer, extra="forbid")
    decision = Decision.objects.get()
    wholes: dict[str, type[BaseModel]] = {
        f"events/{signal.pk}": shapes.Event,
        f"signals/{signal.pk}": shapes.Event,
        f"events/{signal.pk}/status": shapes.EventStatus,
        f"decisions/{decision.pk}": shapes.RestedDecision,
        f"dlq/{dead.pk}": letter_shapes.WholeLetter,
        "decisions/stream": shapes.StreamPage,
    }
    for path, whole in wholes.items():
        whole.model_validate(reader.get(f"/api/v1/{path}").json(), extra="forbid")


def test_a_decision_reads_as_its_frame_on_the_stream(reader: APIClient, judged: Judged) -> None:
    judged()
    frame = results(reader, "decisions/stream")[0]
    item = results(reader, "decisions")[0]
    assert {name: item[name] for name in frame if name not in {"type", "seq", "prev_seq", "snapshot", "stale"}} == {
        name: frame[name] for name in frame if name not in {"type", "seq", "prev_seq", "snapshot", "stale"}
    }


def test_what_was_told_keeps_the_market_it_was_told_of(reader: APIClient, make_signal: SignalFactory, settings: Any) -> None:
    settings.LENS = settings.LENS.model_copy(update={"market": "sandbox"})
    told, untold = make_signal(), make_signal(symbol="ETH")
    for signal in (told, untold):
        judge(signal)
    assert publish_decision(told, "chatgpt")
    conclude(untold)
    assert publish_verdict(conclude(told))
    settings.LENS = settings.LENS.model_copy(update={"market": "hyperliquid"})
    for path in ("decisions", "verdicts"):
        assert {item["symbol"]: item["market"] for item in results(reader, path)} == {"BTC": "sandbox", "ETH": "hyperliquid"}
    decision = Decision.objects.get(signal=told)
    assert reader.get(f"/api/v1/decisions/{decision.pk}").json()["market"] == "sandbox"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"symbol": "btc-perp"}, {"btc"}),
        ({"symbol": "KPEPE"}, {"pepe"}),
        ({"symbol": "kpepe-usd"}, {"pepe"}),
        ({"symbol": "kPEPE"}, {"pepe"}),
        ({"event_type": "CLOSE_SIGNAL"}, {"pepe"}),
        ({"source": "desk_8"}, {"pepe"}),
        ({"source": "nobody"}, set()),
        ({"status": "queued"}, {"btc", "pepe"}),
        ({"status": "published"}, set()),
        ({"symbol": "BTC", "source": "desk_8"}, set()),
    ],
    ids=str,
)
def test_event_filters(reader: APIClient, make_signal: SignalFactory, query: dict[str, str], found: set[str]) -> None:
    names = {
        str(make_signal().pk): "btc",
        str(make_signal(symbol="kPEPE", source="desk_8", event_type="CLOSE_SIGNAL", signal_direction="close_long").pk): "pepe",
    }
    assert {names[item["event_id"]] for item in results(reader, "events", **query)} == found


def test_since_is_inclusive_and_until_exclusive(reader: APIClient, make_signal: SignalFactory) -> None:
    signal = make_signal()
    at = iso(signal.received_at.replace(microsecond=0))
    Signal.objects.update(received_at=at)
    assert len(results(reader, "events", since=at)) == 1
    assert results(reader, "events", until=at) == []
    assert len(results(reader, "events", until=iso(signal.received_at + timedelta(seconds=1)))) == 1


@pytest.mark.parametrize(
    ("query", "models"),
    [
        ({"model": "chatgpt"}, {"chatgpt"}),
        ({"symbol": "eth/usdt"}, {"gemini"}),
        ({"event_type": "CLOSE_SIGNAL"}, set()),
        ({"decision": "IGNORE"}, {"gemini"}),
        ({"decision": "IGNORE", "event_type": "OPEN_SIGNAL"}, {"gemini"}),
        ({"decision": "IGNORE", "event_type": "CLOSE_SIGNAL"}, set()),
        ({"status": "timeout"}, {"gemini"}),
        ({"min_confidence": "0.6"}, {"chatgpt"}),
        ({"min_confidence": "0.7"}, set()),
        ({"since": "2020-01-01T00:00:00Z", "until": "2021-01-01T00:00:00Z"}, set()),
        ({"model": "chatgpt", "status": "timeout"}, set()),
    ],
    ids=str,
)
def test_decision_and_verdict_filters(reader: APIClient, judged: Judged, query: dict[str, str], models: set[str]) -> None:
    judged()
    judged({"model": "gemini", "decision": "IGNORE", "status": "timeout", "confidence": None}, symbol="ETH")
    assert {item["model"] for item in results(reader, "decisions", **query)} == models
    assert {vote["model"] for item in results(reader, "verdicts", **query) for vote in item["votes"]} == models


def test_a_decision_that_is_still_owed_is_not_listed(reader: APIClient, make_signal: SignalFactory) -> None:
    Decision.objects.create(signal=make_signal(), model="chatgpt")
    assert results(reader, "decisions") == []
    assert reader.get(f"/api/v1/decisions/{Decision.objects.get().pk}").status_code == 404


@pytest.mark.parametrize(
    ("query", "reasons"),
    [
        ({"status": "open"}, {"down", "stuck"}),
        ({"resolved": "true"}, {"done", "dropped"}),
        ({"resolved": "false"}, {"down", "stuck"}),
        ({"stage": "evaluate"}, {"stuck"}),
        ({"reason_code": "down"}, {"down"}),
        ({"event_id": "0199c000-0000-7000-8000-000000000000"}, set()),
        ({"until": "2020-01-01T00:00:00Z"}, set()),
    ],
    ids=str,
)
def test_dead_letter_filters(reader: APIClient, db: None, query: dict[str, str], reasons: set[str]) -> None:
    letter(reason_code="down")
    letter(reason_code="stuck", stage="conclude")
    letter(reason_code="done", status="resolved")
    letter(reason_code="dropped", status="discarded")
    found = results(reader, "dlq", **query)
    assert {item["reason_code"] for item in found} == reasons
    assert {item["stage"] for item in found} <= {"enqueue", "enrich", "evaluate", "publish"}


@pytest.mark.parametrize(
    ("path", "query"),
    [(path, {"colour": "blue"}) for path in LISTS]
    + [("events", {"format": "json"}), ("events", {"model": "chatgpt"}), ("events", {"symbol": "USD"}), ("events", {"symbol": ""})]
    + [
        ("events", {"since": "yesterday"}),
        ("events", {"since": "2026-01-05T09:00:00"}),
        ("events", {"since": "0001-01-01T00:00:00+23:00"}),
    ]
    + [("events", {"status": "QUEUED"}), ("events", {"source": "\x00"}), ("events", {"event_type": "OPEN"})]
    + [("decisions", {"min_confidence": value}) for value in ("nan", "inf", "-0.1", "1.1", "x", "")]
    + [("dlq", {"event_id": "7"}), ("dlq", {"stage": "conclude"}), ("dlq", {"resolved": "perhaps"})],
    ids=str,
)
def test_a_parameter_that_is_wrong_or_unknown_is_named(reader: APIClient, path: str, query: dict[str, str]) -> None:
    answer = reader.get(f"/api/v1/{path}", query)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}" for name in query]


def test_a_parameter_given_twice_is_refused(reader: APIClient) -> None:
    assert reader.get("/api/v1/events?status=queued&status=published").status_code == 400


def test_a_key_for_one_source_sees_only_that_source(client_of: ClientFactory, judged: Judged) -> None:
    ours, theirs = judged(source="desk_7"), judged(source="desk_8")
    letters = {signal.source: letter(signal) for signal in (ours, theirs)}
    letter(reason_code="of_nobody")
    reader = client_of(allowed_sources=["desk_8"])
    for path in ("events", "decisions", "verdicts"):
        assert [item["source"] for item in results(reader, path)] == ["desk_8"], path
        assert results(reader, path, **({"source": "desk_7"} if path == "events" else {"symbol": "ETH"})) == []
    assert [item["id"] for item in results(reader, "dlq")] == [str(letters["desk_8"].pk)]
    assert [item["name"] for item in results(reader, "sources")] == ["desk_8"]
    for path in (f"events/{ours.pk}", f"events/{ours.pk}/status", f"signals/{ours.pk}", f"dlq/{letters['desk_7'].pk}"):
        assert reader.get(f"/api/v1/{path}").status_code == 404, path
    assert reader.get(f"/api/v1/decisions/{Decision.objects.get(signal=ours).pk}").status_code == 404
    assert reader.get(f"/api/v1/decisions/{Decision.objects.get(signal=theirs).pk}").status_code == 200


@pytest.mark.parametrize(
    ("scope", "opens"),
    [
        (Scope.EVENTS_READ, {"events", "dlq", "sources"}),
        (Scope.DECISIONS_READ, {"decisions", "verdicts", "models"}),
        (Scope.SIGNALS_WRITE, set()),
        (Scope.ADMIN, set(LISTS)),
    ],
)
def test_the_scope_decides(client_of: ClientFactory, scope: str, opens: set[str]) -> None:
    reader = client_of(scope)
    answers = {path: reader.get(f"/api/v1/{path}").status_code for path in LISTS}
    assert answers == {path: 200 if path in opens else 403 for path in LISTS}


def test_a_model_is_as_healthy_as_its_latest_answers(reader: APIClient, judged: Judged) -> None:
    EvaluationModel.objects.all().delete()
    for name in ("chatgpt", "gemini", "quiet"):
        EvaluationModel.objects.create(name=name, vendor="baseline", model_id=name)
    for latency in (100, 300, 200):
        judged({"model": "chatgpt", "model_meta": {"latency_ms": latency}})
    judged({"model": "gemini"})
    judged({"model": "gemini", "status": "timeout", "confidence": None})
    judged({"model": "gemini", "status": "timeout", "confidence": None})
    found = {item["name"]: item["health"] for item in results(reader, "models")}
    assert {name: health["state"] for name, health in found.items()} == {"chatgpt": "ok", "gemini": "failing", "quiet": "unknown"}
    assert (found["chatgpt"]["median_latency_ms"], found["gemini"]["answers"], found["gemini"]["usable"]) == (200, 3, 1)


def test_a_model_shows_its_breaker_and_what_of_its_budget_is_spent(reader: APIClient) -> None:
    EvaluationModel.objects.all().delete()
    for name in ("down", "mending", "well"):
        EvaluationModel.objects.create(name=name, vendor="baseline", model_id=name, daily_budget_usd="1.5", max_in_flight=3)
    at = now()
    Breaker.objects.create(model="down", failures=5, opened_at=at, cause="provider_down")
    Breaker.objects.create(model="mending", failures=5, opened_at=at - timedelta(seconds=31), cause="timeout")
    Spend.objects.create(scope="model", name="well", day=at.date(), cap_usd="1.5", spent_usd="0.25", reserved_usd="0.01")
    Spend.objects.create(scope="model", name="well", day=at.date() - timedelta(days=1), cap_usd="1.5", spent_usd="1")
    found = {item["name"]: item for item in results(reader, "models")}
    assert {name: (item["health"]["breaker"], item["health"]["breaker_cause"]) for name, item in found.items()} == {
        "down": ("open", "provider_down"),
        "mending": ("half_open", "timeout"),
        "well": ("closed", None),
    }
    well = found["well"]
    assert (well["daily_budget_usd"], well["max_in_flight"], well["calls_per_minute"]) == ("1.5", 3, None)
    assert (well["health"]["spent_today_usd"], well["health"]["reserved_usd"]) == ("0.25", "0.01")
    assert found["down"]["health"]["spent_today_usd"] is None


def test_a_source_shows_what_it_is_held_to(reader: APIClient) -> None:
    Source.objects.create(name="desk_7", max_age_s=60, close_fallback="HOLD")
    (item,) = results(reader, "sources")
    assert item["limits"] == {"max_age_s": 60, "max_future_s": None, "max_drift_bps": None, "max_drift_atr": None}
    assert item["close_fallback"] == "HOLD"


def test_a_source_shows_when_it_was_last_heard(reader: APIClient, make_signal: SignalFactory) -> None:
    make_signal()
    last = make_signal()
    Source.objects.create(name="silent", first_seen_at=now() - timedelta(days=1))
    found = {item["name"]: item["last_seen_at"] for item in results(reader, "sources")}
    assert found == {"desk_7": iso(last.received_at), "silent": None}


def test_a_page_costs_the_same_queries_whatever_its_length(reader: APIClient, judged: Judged) -> None:
    def costs() -> dict[str, int]:
        found = {}
        for path in LISTS:
            with CaptureQueriesContext(connection) as seen:
                results(reader, path)
            # The caller's key is read anew once a second, whichever list it is then.
            found[path] = sum("access_apikey" not in query["sql"] for query in seen)
        return found

    letter(judged())
    one = costs()
    for number in range(6):
        letter(judged(source=f"desk_{number}"))
    assert costs() == one
    assert max(one.values()) <= 2, one


def test_rejected_signals_are_listed_with_the_reason(reader: APIClient, make_signal: SignalFactory) -> None:
    Signal.objects.filter(pk=make_signal().pk).update(status=Status.REJECTED, rejection={"code": "price_drift", "detail": "far"})
    item = results(reader, "events", status="rejected")[0]
    assert (item["current_stage"], item["rejection"]["code"]) == ("rejected", "price_drift")
    assert Verdict.objects.count() == 0
