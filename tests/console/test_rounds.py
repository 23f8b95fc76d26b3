"""Judging again: a new round on the same market, its price told before, and what died finds its way back to the executors."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction
from django.db.models.functions import Now
from django.test import Client

from access.models import Scope
from audit.models import DeadLetter, TimelineEntry
from core.canonical import digest
from core.clock import ZERO, now
from core.errors import Permanent
from enrichment.models import Enrichment
from evaluation.admin import prompt
from evaluation.models import Decision, EvaluationModel, ModelCall, Price, Verdict
from evaluation.selectors import forget_registry
from lens_project import pipeline
from publishing import retention, tasks
from publishing.models import Frame
from publishing.services import announce
from signals.claims import claim
from signals.lifecycle import advance
from signals.models import Signal, Status
from tests.conftest import SignalFactory
from tests.console.conftest import ClientFactory
from tests.evaluation.cases import NO_FLAGS, payload

pytestmark = pytest.mark.django_db(transaction=True)

Published = Callable[..., Signal]


@pytest.fixture(autouse=True)
def _hands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens to the broker here: the tests take every step themselves."""
    monkeypatch.setattr(pipeline, "_resume_soon", lambda _: None)


@pytest.fixture
def rules(db: None) -> EvaluationModel:
    EvaluationModel.objects.all().delete()
    made = EvaluationModel.objects.create(name="rules", vendor="baseline", model_id="baseline-v1")
    forget_registry()
    return made


@pytest.fixture
def enriched(make_signal: SignalFactory, rules: EvaluationModel) -> Published:
    def make(**changes: Any) -> Signal:
        signal = make_signal(**changes)
        text = payload(event_id=str(signal.pk))
        with transaction.atomic():
            assert advance(signal, Status.ENRICHED, expected=["rules"], enriched_at=ZERO)
            Enrichment.objects.create(
                signal=signal,
                profile="p",
                provider="sandbox",
                payload=text,
                payload_hash=digest(text),
                quality_flags=NO_FLAGS,
                quality_score=1.0,
                duration_ms=1,
            )
        return signal

    return make


@pytest.fixture
def published(enriched: Published) -> Published:
    def make(**changes: Any) -> Signal:
        signal = enriched(**changes)
        tasks.evaluate(str(signal.pk), "rules")
        return standing(signal)

    return make


def standing(signal: Signal) -> Signal:
    return Signal.objects.get(pk=signal.pk)


def told(signal: Signal) -> list[tuple[int, str]]:
    return list(Frame.objects.filter(event_id=signal.pk).order_by("seq").values_list("evaluation", "kind"))


def test_one_signal_is_judged_again_on_the_same_market_and_the_frames_say_so(published: Published) -> None:
    signal = published()
    assert pipeline.reevaluate(signal.pk, "ops", "new prompt") == 1
    again = Decision(signal=signal, evaluation=1, model="rules", prompt_version="core_v1")
    assert "BTC" in prompt(again)
    begun = standing(signal)
    assert (begun.status, begun.evaluation, begun.expected, begun.published_at) == (Status.ENRICHED, 1, ["rules"], None)
    assert begun.next_attempt_at is not None
    tasks.evaluate(str(signal.pk), "rules")
    assert standing(signal).status == Status.PUBLISHED
    assert told(signal) == [(0, "decision"), (0, "verdict"), (1, "decision"), (1, "verdict")]
    assert len({row.payload_hash for row in Decision.objects.all()}) == 1
    assert (Decision.objects.count(), Verdict.objects.count(), Enrichment.objects.count()) == (2, 2, 1)
    entry = TimelineEntry.objects.filter(event_id=signal.pk, status="enriched").last()
    assert entry is not None
    assert entry.details == {"reevaluated_by": "ops", "evaluation": 1, "note": "new prompt"}


def test_an_old_open_is_judged_too_when_asked_for(published: Published) -> None:
    signal = published()
    Signal.objects.update(ts_utc=signal.ts_utc - timedelta(days=30))
    pipeline.reevaluate(signal.pk, "ops")
    tasks.evaluate(str(signal.pk), "rules")
    assert Decision.objects.get(evaluation=1).status == "ok"


def test_only_a_published_signal_is_judged_again(make_signal: SignalFactory, published: Published) -> None:
    assert pipeline.reevaluate(make_signal().pk, "ops") is None
    signal = published()
    assert pipeline.reevaluate(signal.pk, "ops") == 1
    assert pipeline.reevaluate(signal.pk, "ops") is None


def test_a_degraded_signal_says_so_until_it_is_judged_by_somebody(enriched: Published, rules: EvaluationModel) -> None:
    signal = enriched()
    EvaluationModel.objects.update(enabled=False)
    forget_registry()
    tasks.evaluate(str(signal.pk), "rules")
    assert (standing(signal).status, standing(signal).degraded) == (Status.PUBLISHED, True)
    EvaluationModel.objects.update(enabled=True)
    forget_registry()
    pipeline.reevaluate(signal.pk, "ops")
    tasks.evaluate(str(signal.pk), "rules")
    assert standing(signal).degraded is False
    assert [verdict.fallback for verdict in Verdict.objects.order_by("evaluation")] == [True, False]


# What died after its answers were in.


def buried_while_judged(signal: Signal) -> DeadLetter:
    """Its answer is stored, and then the verdict could not be drawn."""
    held = tasks._judge(str(signal.pk), "rules")
    assert held is not None
    ending = claim(signal.pk, "conclude")
    assert ending is not None
    ending.bury(Permanent("bug", "no verdict"))
    return DeadLetter.objects.get(event_id=signal.pk)


def test_a_signal_whose_fallback_was_told_comes_back_in_a_new_round_with_its_answers(enriched: Published) -> None:
    signal = enriched()
    letter = buried_while_judged(signal)
    assert announce(standing(signal)) is True
    assert told(signal) == [(0, "decision"), (0, "verdict")]
    assert pipeline.replay(letter, "ops") is True
    back = standing(signal)
    assert (back.status, back.evaluation) == (Status.ENRICHED, 1)
    first, carried = Decision.objects.order_by("evaluation")
    assert (carried.carried_from, carried.decision, carried.confidence) == (first.pk, first.decision, first.confidence)
    tasks.publish_decision(str(signal.pk), "rules")
    tasks.conclude(str(signal.pk))
    assert told(signal) == [(0, "decision"), (0, "verdict"), (1, "decision"), (1, "verdict")]
    fallback, real = Frame.objects.filter(event_id=signal.pk, kind="verdict").order_by("seq")
    assert (fallback.payload["fallback"], real.payload["fallback"]) == (True, False)
    assert real.payload["decision"] == first.decision
    assert ModelCall.objects.count() == 1
    letter.refresh_from_db()
    assert letter.status == DeadLetter.Status.RESOLVED


def test_a_fallback_was_told_even_if_the_stream_has_let_go_of_it(enriched: Published) -> None:
    signal = enriched()
    letter = buried_while_judged(signal)
    announce(standing(signal))
    Frame.objects.update(created_at=now() - timedelta(days=400))
    assert retention.prune(retention.expiry()) == 2
    assert pipeline.replay(letter, "ops") is True
    tasks.conclude(str(signal.pk))
    assert told(signal) == [(1, "decision"), (1, "verdict")]


def test_a_signal_nobody_was_told_of_goes_on_in_its_round(enriched: Published) -> None:
    signal = enriched()
    letter = buried_while_judged(signal)
    assert pipeline.replay(letter, "ops") is True
    assert (standing(signal).status, standing(signal).evaluation) == (Status.ENRICHED, 0)
    tasks.conclude(str(signal.pk))
    assert told(signal) == [(0, "decision"), (0, "verdict")]


def test_a_failed_answer_is_not_carried_over_but_asked_for_again(enriched: Published) -> None:
    signal = enriched()
    letter = buried_while_judged(signal)
    Decision.objects.update(status="timeout", fallback=True)
    announce(standing(signal))
    pipeline.replay(letter, "ops")
    assert Decision.objects.filter(evaluation=1).count() == 0
    tasks.evaluate(str(signal.pk), "rules")
    assert Decision.objects.get(evaluation=1).status == "ok"
    assert standing(signal).status == Status.PUBLISHED


# The doors.


def post(client: Any, path: str, body: dict[str, Any] | None = None) -> Any:
    return client.post(f"/api/v1/events{path}", body or {}, format="json")


def test_the_door_for_one(client_of: ClientFactory, published: Published) -> None:
    signal, admin = published(), client_of(Scope.ADMIN)
    dry = post(admin, f"/{signal.pk}/reevaluate", {"dry_run": True})
    preview = {"cost_usd": "0", "models": [{"model": "rules", "cost_usd_each": "0"}]}
    assert (dry.status_code, dry.json()) == (
        200,
        {"event_id": str(signal.pk), "evaluation": 1, "dry_run": True, "preview": preview},
    )
    assert standing(signal).evaluation == 0
    begun = post(admin, f"/{signal.pk}/reevaluate")
    assert (begun.status_code, begun.json()["evaluation"]) == (202, 1)
    again = post(admin, f"/{signal.pk}/reevaluate")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


def test_the_door_for_many_freezes_its_selection(client_of: ClientFactory, published: Published) -> None:
    first, second = published(symbol="BTC"), published(symbol="ETH")
    admin = client_of(Scope.ADMIN)
    assert post(admin, "/reevaluate", {"filter": {}}).status_code == 400
    assert post(admin, "/reevaluate", {"filter": {"colour": "red"}}).status_code == 400
    dry = post(admin, "/reevaluate", {"filter": {"source": "desk_7"}, "dry_run": True})
    assert (dry.status_code, dry.json()["selected"], dry.json()["started"]) == (200, 2, 0)
    frozen = post(admin, "/reevaluate", {"filter": {"source": "desk_7"}, "as_of": "2020-01-01T00:00:00Z", "dry_run": True})
    assert frozen.json()["selected"] == 0
    some = post(admin, "/reevaluate", {"filter": {"symbol": "eth-perp"}, "note": "again"})
    assert (some.status_code, some.json()["started"], some.json()["remaining"]) == (202, 1, 0)
    assert (standing(first).evaluation, standing(second).evaluation) == (0, 1)


def test_a_key_spends_no_money_without_the_scope_nor_beyond_its_sources(client_of: ClientFactory, published: Published) -> None:
    signal = published()
    assert post(client_of(Scope.EVENTS_READ, Scope.DLQ_WRITE), f"/{signal.pk}/reevaluate").status_code == 403
    stranger = client_of(Scope.ADMIN, allowed_sources=["elsewhere"])
    assert post(stranger, f"/{signal.pk}/reevaluate").status_code == 404
    assert post(stranger, "/reevaluate", {"filter": {"source": "desk_7"}, "dry_run": True}).json()["selected"] == 0


def test_the_price_is_what_it_cost_before(client_of: ClientFactory, published: Published) -> None:
    signal = published()
    model = EvaluationModel.objects.create(name="llm", vendor="openai_compatible", model_id="m", base_url="http://127.0.0.1:1")
    forget_registry()
    admin = client_of(Scope.ADMIN)
    assert post(admin, f"/{signal.pk}/reevaluate", {"dry_run": True}).json()["preview"]["cost_usd"] is None
    Price.objects.create(model=model, input_usd=1, output_usd=1)
    for cost in ("0.01", "0.03"):
        row = Decision.objects.create(signal=published(), model="llm", status="ok", evaluated_at=Now())
        ModelCall.objects.create(decision=row, attempt=1, outcome="ok", latency_ms=1, cost_usd=Decimal(cost))
    dry = post(admin, "/reevaluate", {"filter": {"event_id": str(signal.pk)}, "dry_run": True}).json()
    assert dry["preview"]["cost_usd"] == "0.02"


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("reevaluate", *arguments, "--json", stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_command(published: Published) -> None:
    signal = published()
    assert '"selected": 1' in run("--event", str(signal.pk), "--dry-run")
    assert standing(signal).evaluation == 0
    assert '"started": 1' in run("--source", "desk_7", "--yes", "--note", "again")
    assert standing(signal).evaluation == 1
    with pytest.raises(CommandError, match="at least one"):
        run("--yes")
    with pytest.raises(CommandError, match="--since"):
        run("--since", "yesterday", "--yes")


def test_the_admin(published: Published, client: Client) -> None:
    signal = published()
    get_user_model().objects.create_superuser("root", "", "secret-enough")
    client.login(username="root", password="secret-enough")
    chosen = {"_selected_action": [str(signal.pk)]}
    said = client.post("/admin/signals/signal/", {"action": "preview", **chosen}, follow=True)
    assert b"about 0 USD" in said.content
    client.post("/admin/signals/signal/", {"action": "reevaluate", **chosen}, follow=True)
    assert standing(signal).evaluation == 1
