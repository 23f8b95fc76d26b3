"""What is said where there is no judgement: a source's own word for its exits, and never an entry."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from evaluation.claims import claim
from evaluation.fallbacks import fallback_of
from evaluation.models import Decision, EvaluationModel, Verdict
from evaluation.schemas import ENTER, WORDS
from evaluation.selectors import forget_registry
from evaluation.services import judge
from evaluation.verification import verify
from publishing.models import Frame
from publishing.services import announce, conclude
from signals.lifecycle import advance
from signals.models import ExitWord, Signal, Source, Status
from signals.stage import stage
from tests.evaluation.conftest import Simulator

pytestmark = pytest.mark.django_db(transaction=True)

Register = Callable[..., EvaluationModel]
Enriched = Callable[..., Signal]
CLOSING = {"event_type": "CLOSE_SIGNAL", "signal_direction": "close_long"}

run = stage(claim)(judge)


def holds(word: str = "HOLD") -> None:
    Source.objects.update_or_create(name="desk_7", defaults={"close_fallback": word})
    forget_registry()


def test_only_words_of_an_exit_can_be_set() -> None:
    assert set(ExitWord.values) == set(WORDS["CLOSE_SIGNAL"])
    assert ENTER not in ExitWord.values


@pytest.mark.parametrize("preset", ["auth", "bad_request"])
def test_a_model_that_fails_says_the_source_s_word_and_so_does_the_verdict(
    register: Register, enriched: Enriched, simulator: Simulator, preset: str
) -> None:
    holds()
    register()
    simulator.script("errors", {"preset": preset})
    signal = enriched("chatgpt", **CLOSING)
    run(str(signal.pk), "chatgpt")
    row = Decision.objects.get()
    assert conclude(signal)
    verdict = Verdict.objects.get()
    assert (row.decision, row.fallback, row.confidence) == ("HOLD", True, None)
    assert (verdict.decision, verdict.fallback, verdict.reason) == ("HOLD", True, "no_answers")
    assert verify(row) is None
    holds("FOLLOW_EXIT")
    assert verify(Decision.objects.get()) is None


def test_an_answer_that_is_none_says_it_too(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    holds("TIGHTEN_STOP")
    register()
    simulator.script("answers", {"kind": "refusal"})
    run(str(enriched("chatgpt", **CLOSING).pk), "chatgpt")
    assert (Decision.objects.get().status, Decision.objects.get().decision) == ("refused", "TIGHTEN_STOP")


def test_nobody_expected_is_the_source_s_word(enriched: Enriched) -> None:
    holds()
    assert conclude(enriched(**CLOSING))
    assert (Verdict.objects.get().decision, Verdict.objects.get().reason) == ("HOLD", "no_models")


@pytest.mark.parametrize("word", ["HOLD", "TIGHTEN_STOP", "FOLLOW_EXIT"])
def test_an_entry_is_never_made_by_a_failure(register: Register, enriched: Enriched, simulator: Simulator, word: str) -> None:
    holds(word)
    register()
    simulator.script("errors", {"preset": "auth"})
    signal = enriched("chatgpt")
    run(str(signal.pk), "chatgpt")
    conclude(signal)
    assert (Decision.objects.get().decision, Verdict.objects.get().decision) == ("IGNORE", "IGNORE")
    assert fallback_of(signal) == "IGNORE"


def test_a_rejected_exit_is_announced_with_it(make_signal: Callable[..., Signal]) -> None:
    holds()
    signal = make_signal(**CLOSING)
    with transaction.atomic():
        assert advance(signal, Status.REJECTED, rejection={"code": "signal_too_old", "detail": "x"})
    Signal.objects.filter(pk=signal.pk).update(next_attempt_at=signal.received_at)
    assert announce(Signal.objects.get(pk=signal.pk))
    assert Frame.objects.get().payload["decision"] == "HOLD"


def test_it_is_set_in_the_admin_and_holds_at_once_for_other_sources_not_at_all(
    admin_client: Client, make_signal: Callable[..., Signal]
) -> None:
    Source.objects.create(name="desk_7")
    form: dict[str, Any] = {"close_fallback": "HOLD"}
    address = reverse("admin:signals_source_change", args=["desk_7"])
    assert admin_client.post(address, {"close_fallback": "FOLLOW_ENTER"}).status_code == 200
    assert admin_client.post(address, form).status_code == 302
    forget_registry()
    assert fallback_of(make_signal(**CLOSING)) == "HOLD"
    assert fallback_of(make_signal(**CLOSING, source="other")) == "FOLLOW_EXIT"
