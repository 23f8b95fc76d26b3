"""What is owed to a round, when it ends, and the verdict it ends with."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from audit.models import TimelineEntry
from core.clock import now
from evaluation import remembered, selectors
from evaluation.claims import claim
from evaluation.models import Decision, EvaluationModel, Verdict
from evaluation.services import judge
from publishing.services import conclude
from signals.models import Signal, Status
from signals.panel import judges
from tests.evaluation.test_judging import in_parallel, make_claimable, run

pytestmark = pytest.mark.django_db(transaction=True)

Register = Callable[..., EvaluationModel]
Enriched = Callable[..., Signal]


@pytest.fixture
def two_judges(register: Register) -> None:
    """The rules, twice: they always agree and cost nothing."""
    for name in ("one", "two"):
        register(name, vendor="baseline", model_id="baseline-v1", base_url="", key_env="")


def judged(signal: Signal, *models: str) -> Signal:
    for model in models:
        assert run(str(signal.pk), model) is not None
    return Signal.objects.get(pk=signal.pk)


def test_the_panel_is_the_enabled_models_and_follows_a_change_within_a_second(two_judges: None, monkeypatch: Any) -> None:
    monkeypatch.setattr(remembered, "TTL_S", 0.0)
    assert judges() == ["one", "two"]
    EvaluationModel.objects.filter(name="two").update(enabled=False)
    assert judges() == ["one"]


def test_the_verdict_waits_for_everyone(two_judges: None, enriched: Enriched) -> None:
    signal = judged(enriched("one", "two"), "one")
    assert not selectors.look(signal).due
    assert not conclude(signal)
    assert not Verdict.objects.exists()


def test_when_all_have_answered_there_is_one_verdict(two_judges: None, enriched: Enriched) -> None:
    signal = judged(enriched("one", "two"), "one", "two")
    assert selectors.look(signal).complete
    assert conclude(signal)
    verdict = Verdict.objects.get()
    assert (verdict.decision, verdict.policy, verdict.fallback, verdict.disagreement, verdict.reason) == (
        "FOLLOW_ENTER",
        "majority",
        False,
        0.0,
        "",
    )
    confidence = Decision.objects.get(model="one").confidence
    assert verdict.confidence == pytest.approx(confidence)
    assert verdict.votes == [
        {"model": name, "decision": "FOLLOW_ENTER", "confidence": confidence, "status": "ok"} for name in ("one", "two")
    ]
    stored = Signal.objects.get(pk=signal.pk)
    assert stored.status == signal.status == Status.PUBLISHED
    assert stored.evaluated_at is not None
    assert TimelineEntry.objects.get(event_id=signal.pk, status="evaluated").details["decision"] == "FOLLOW_ENTER"


@pytest.mark.parametrize(("policy", "drawn"), [("quorum:2", "FOLLOW_ENTER"), ("quorum:3", "IGNORE")])
def test_the_policy_is_the_installations(settings: Any, two_judges: None, enriched: Enriched, policy: str, drawn: str) -> None:
    settings.LENS = settings.LENS.model_copy(update={"consensus": policy})
    assert conclude(judged(enriched("one", "two"), "one", "two"))
    verdict = Verdict.objects.get()
    assert (verdict.policy, verdict.decision) == (policy, drawn)


def test_concluding_twice_or_at_once_gives_one_verdict(two_judges: None, enriched: Enriched) -> None:
    signal = judged(enriched("one", "two"), "one", "two")
    results = in_parallel(4, lambda: conclude(Signal.objects.get(pk=signal.pk)))
    assert sum(results) == 1
    assert not conclude(Signal.objects.get(pk=signal.pk))
    assert Verdict.objects.count() == 1


def test_a_panel_without_judges_gives_the_fallback(enriched: Enriched) -> None:
    for signal, safe in (
        (enriched(), "IGNORE"),
        (enriched(event_type="CLOSE_SIGNAL", signal_direction="close_long"), "FOLLOW_EXIT"),
    ):
        assert selectors.look(signal).due
        assert conclude(signal)
        verdict = Verdict.objects.get(signal=signal)
        assert (verdict.decision, verdict.fallback, verdict.reason, verdict.votes) == (safe, True, "no_models", [])


def test_at_the_deadline_the_silent_become_timeouts_and_the_verdict_follows(two_judges: None, enriched: Enriched) -> None:
    signal = enriched("one", "two", "three")
    judged(signal, "one")
    hanging = claim(str(signal.pk), "two")
    assert hanging is not None
    Decision.objects.filter(signal=signal).update(claimed_at=Now() - timedelta(seconds=46))
    assert selectors.look(signal).due
    assert conclude(signal)
    rows = {row.model: row for row in Decision.objects.filter(signal=signal)}
    assert {name: row.status for name, row in rows.items()} == {"one": "ok", "two": "timeout", "three": "timeout"}
    assert set(rows["two"].model_meta) == set(rows["one"].model_meta)
    assert (rows["three"].decision, rows["three"].fallback, rows["three"].confidence) == ("IGNORE", True, None)
    assert rows["three"].evaluated_at is not None
    assert [vote["status"] for vote in Verdict.objects.get().votes] == ["ok", "timeout", "timeout"]
    steps = list(TimelineEntry.objects.filter(event_id=signal.pk).order_by("id").values_list("status", flat=True))
    assert steps[-4:] == ["decision", "decision", "evaluated", "published"]
    judge(hanging)
    assert hanging.settled is False
    assert Decision.objects.get(model="two").status == "timeout"
    assert claim(str(signal.pk), "three") is None


def test_an_open_past_its_usefulness_is_due_even_if_nobody_was_asked(two_judges: None, enriched: Enriched) -> None:
    signal = enriched("one", ts_utc=now() - timedelta(seconds=301))
    assert selectors.look(signal).deadline == selectors.valid_until(signal)
    assert conclude(signal)
    assert Verdict.objects.get().reason == "no_answers"


def test_what_is_owed_follows_the_rows(two_judges: None, enriched: Enriched) -> None:
    signal = enriched("one", "two")
    assert selectors.look(signal).owed == ["one", "two"]
    assert claim(str(signal.pk), "one") is not None
    assert selectors.look(signal).owed == ["two"]
    make_claimable(signal, not_before=Now() + timedelta(seconds=5))
    assert selectors.look(signal).owed == ["two"]
    make_claimable(signal)
    assert selectors.look(signal).owed == ["two", "one"]
    judged(signal, "one", "two")
    assert selectors.look(signal).owed == []


def test_the_next_look_is_the_earliest_instant_at_which_something_changes(two_judges: None, enriched: Enriched) -> None:
    signal = enriched("one")
    due = selectors.look(signal).next_due
    assert due is not None
    assert due <= now() + timedelta(seconds=1)
    assert claim(str(signal.pk), "one") is not None
    row = Decision.objects.get()
    assert selectors.look(signal).next_due == row.lease_until
    make_claimable(signal, lease_until=Now() + timedelta(seconds=100))
    assert selectors.look(signal).next_due == selectors.look(signal).deadline == row.claimed_at + timedelta(seconds=45)
    make_claimable(signal)
    judged(signal, "one")
    assert selectors.look(signal).next_due is None


def test_a_close_that_nobody_was_asked_about_has_no_deadline(two_judges: None, enriched: Enriched) -> None:
    signal = enriched("one", event_type="CLOSE_SIGNAL", signal_direction="close_long")
    assert selectors.look(signal).deadline is None
    assert not selectors.look(signal).due


def test_a_new_round_starts_from_nothing(two_judges: None, enriched: Enriched) -> None:
    signal = judged(enriched("one"), "one")
    signal.evaluation = 1
    assert (selectors.look(signal).owed, selectors.look(signal).complete) == (["one"], False)


def test_looking_at_rounds_is_one_query_however_many(two_judges: None, enriched: Enriched, django_assert_num_queries: Any) -> None:
    signals = [judged(enriched("one", "two"), "one"), enriched("one"), enriched("two")]
    signals[2].evaluation = 1
    judged(signals[1], "one")
    with django_assert_num_queries(1):
        seen = selectors.looks(signals)
    assert [(seen[signal.pk].owed, seen[signal.pk].complete) for signal in signals] == [
        (["two"], False),
        ([], True),
        (["two"], False),
    ]
    with django_assert_num_queries(0):
        assert selectors.looks([]) == {}
