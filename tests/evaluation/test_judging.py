"""One evaluation from claim to settled row, against a real database and a vendor over a socket."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from audit.models import DeadLetter, TimelineEntry
from core.canonical import digest
from core.errors import Transient
from evaluation.claims import EvaluationClaim, claim
from evaluation.models import Breaker, Decision, EvaluationModel, ModelCall
from evaluation.prompting import render
from evaluation.selectors import deadline_from, enabled_models, forget_registry, valid_until
from evaluation.services import judge
from signals.models import Signal
from signals.stage import stage
from tests.evaluation.conftest import Simulator

pytestmark = pytest.mark.django_db(transaction=True)

Register = Callable[..., EvaluationModel]
Enriched = Callable[..., Signal]

run = stage(claim)(judge)


def decision(signal: Signal, model: str = "chatgpt") -> Decision:
    return Decision.objects.get(signal=signal, model=model)


def make_claimable(signal: Signal, **columns: Any) -> None:
    """As if the waiting were over."""
    Decision.objects.filter(signal=signal).update(**{"not_before": None, "lease_until": None, **columns})


def test_an_answer_is_stored_with_everything_it_rests_on(register: Register, enriched: Enriched) -> None:
    register()
    signal = enriched("chatgpt")
    held = run(str(signal.pk), "chatgpt")
    row = decision(signal)
    assert held is not None
    assert (held.settled, held.completes) == (True, True)
    assert (row.status, row.fallback, row.claims, row.attempts, row.lease_until) == ("ok", False, 1, 0, None)
    prompt = render(held.payload, held.payload_hash, signal.event_type, "core_v1")
    assert (row.prompt_version, row.prompt_hash, row.schema_hash) == ("core_v1", prompt.prompt_hash, prompt.schema_hash)
    assert row.payload_hash == digest(held.payload)
    assert row.decision in {"FOLLOW_ENTER", "IGNORE"}
    assert row.confidence is not None
    assert set(row.answer) == {"evidence_for", "evidence_against", "entry_plan", "risk_plan", "size_pct", "reasons"}
    assert row.evaluated_at is not None
    meta = row.model_meta
    assert (meta["vendor"], meta["model_name"], meta["status"], meta["parse_mode"], meta["cost_usd"]) == (
        "openai_compatible",
        "chatgpt-sandbox",
        "ok",
        "strict",
        None,
    )
    call = row.calls.get()
    assert (call.attempt, call.repair, call.outcome, call.finish_reason) == (1, False, "ok", "stop")
    assert (call.tokens_in, call.tokens_out) == (meta["tokens_in"], meta["tokens_out"])
    entry = TimelineEntry.objects.get(event_id=signal.pk, status="decision")
    assert entry.details == {"model": "chatgpt", "status": "ok", "decision": row.decision}


def test_the_baseline_needs_neither_key_nor_network(enriched: Enriched, register: Register) -> None:
    register("rules", vendor="baseline", model_id="baseline-v1", base_url="", key_env="")
    signal = enriched("rules")
    run(str(signal.pk), "rules")
    row = decision(signal, "rules")
    assert (row.status, row.decision, row.answer["risk_plan"]["stop_method"]) == ("ok", "FOLLOW_ENTER", "atr")


@pytest.mark.parametrize(
    ("misbehaviour", "status", "reasked"),
    [
        ("invalid_json", "invalid_json", True),
        ("empty", "invalid_json", True),
        ("nan", "invalid_json", True),
        ("oversized", "invalid_json", True),
        ("schema_error", "schema_error", True),
        ("compromised", "schema_error", True),
        ("wrong_event_word", "incoherent", True),
        ("refusal", "refused", False),
        ("content_filter", "refused", False),
        ("length", "truncated", False),
    ],
)
def test_every_misbehaviour_leaves_one_fallback_with_its_raw_text(
    register: Register, enriched: Enriched, simulator: Simulator, misbehaviour: str, status: str, reasked: bool
) -> None:
    register()
    signal = enriched("chatgpt")
    simulator.script("answers", {"kind": misbehaviour})
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    assert (row.status, row.decision, row.confidence, row.fallback) == (status, "IGNORE", None, True)
    assert row.reason
    assert row.answer["reasons"] == [status]
    calls = list(row.calls.all())
    assert [call.repair for call in calls] == ([False, True] if reasked else [False])
    assert {call.outcome for call in calls} == {status}
    assert all(len(call.raw_text.encode()) <= 16_384 for call in calls)
    assert simulator.totals()["received"] == len(calls)


def test_an_answer_mended_on_request_is_repaired(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register()
    signal = enriched("chatgpt")
    simulator.script("answers", {"kind": "schema_error", "times": 1})
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    assert (row.status, row.fallback) == ("repaired", False)
    assert [call.outcome for call in row.calls.all()] == ["schema_error", "ok"]
    assert simulator.totals()["answered_repair"] == 1
    assert simulator.prompts()[-1]["messages"][-1]["content"] == "confidence: Input should be less than or equal to 1"


def test_a_re_ask_that_fails_keeps_the_first_fault(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register()
    signal = enriched("chatgpt")
    simulator.script("answers", {"kind": "invalid_json"})
    simulator.script("faults", {"kind": "status", "status": 500, "match": {"prompt": "repair"}})
    run(str(signal.pk), "chatgpt")
    assert decision(signal).status == "invalid_json"
    assert [call.outcome for call in ModelCall.objects.all()] == ["invalid_json", "provider_down"]


def test_hostile_words_are_stored_as_words(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register()
    signal = enriched("chatgpt")
    simulator.script("answers", {"kind": "injection"})
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    assert row.status == "ok"
    assert "<script>alert(document.cookie)</script>" in row.answer["reasons"]
    assert all(reason.isprintable() for reason in row.answer["reasons"])


@pytest.mark.parametrize(
    ("preset", "status", "code"),
    [
        ("auth", "provider_error", "auth_failed"),
        ("not_found", "provider_error", "model_not_found"),
        ("insufficient_quota", "provider_error", "insufficient_quota"),
        ("bad_request", "provider_error", "bad_request"),
    ],
)
def test_what_cannot_get_better_abstains_at_once(
    register: Register, enriched: Enriched, simulator: Simulator, preset: str, status: str, code: str
) -> None:
    register()
    signal = enriched("chatgpt")
    simulator.script("errors", {"preset": preset})
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    assert (row.status, row.fallback, row.reason.partition(":")[0]) == (status, True, code)
    assert row.calls.get().outcome == code
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize(
    ("error", "status"),
    [({"preset": "rate_limit", "retry_after": "1"}, "rate_limited"), ({"preset": "overloaded"}, "provider_error")],
)
def test_what_may_get_better_is_tried_three_times_as_rows(
    register: Register, enriched: Enriched, simulator: Simulator, error: dict[str, Any], status: str
) -> None:
    register()
    signal = enriched("chatgpt")
    simulator.script("errors", error)
    for tries in (1, 2):
        held = run(str(signal.pk), "chatgpt")
        row = decision(signal)
        assert held is not None
        assert (held.settled, row.status, row.attempts, row.lease_until) == (False, "", tries, None)
        assert row.not_before is not None
        owed_at = Signal.objects.get(pk=signal.pk).next_attempt_at
        assert owed_at is not None
        assert owed_at <= row.not_before
        make_claimable(signal)
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    assert (row.status, row.fallback, row.calls.count()) == (status, True, 3)
    assert [call.attempt for call in row.calls.all()] == [1, 2, 3]


def test_a_retry_is_not_claimable_before_its_time(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register()
    signal = enriched("chatgpt")
    simulator.script("errors", {"preset": "rate_limit", "retry_after": "5", "times": 1})
    run(str(signal.pk), "chatgpt")
    assert run(str(signal.pk), "chatgpt") is None
    make_claimable(signal)
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    assert (row.status, row.attempts, row.calls.count()) == ("ok", 1, 2)


def test_a_wish_to_wait_beyond_the_deadline_ends_it_now(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register()
    signal = enriched("chatgpt")
    simulator.script("errors", {"preset": "rate_limit", "retry_after": "50"})
    held = run(str(signal.pk), "chatgpt")
    assert held is not None
    assert held.settled
    assert decision(signal).status == "rate_limited"


def test_a_model_that_hangs_times_out_within_its_own_limit(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register(timeout_ms=300)
    signal = enriched("chatgpt")
    simulator.script("faults", {"kind": "hang"})
    for _ in range(3):
        run(str(signal.pk), "chatgpt")
        make_claimable(signal)
    row = decision(signal)
    assert (row.status, row.fallback, Signal.objects.get().degraded) == ("timeout", True, False)
    assert 250 <= row.calls.get().latency_ms < 1_500


@pytest.mark.parametrize("fault", [None, {"kind": "reset"}, {"kind": "truncate"}])
def test_a_question_that_may_have_been_paid_for_is_not_asked_again(
    register: Register, enriched: Enriched, simulator: Simulator, fault: dict[str, Any] | None
) -> None:
    """Slow, or cut on its way back: the vendor's own books say that one prompt was answered at most."""
    register(timeout_ms=400)
    signal = enriched("chatgpt")
    if fault is None:
        simulator.latency(0.8)
    else:
        simulator.script("faults", fault)
    for _ in range(3):
        run(str(signal.pk), "chatgpt")
        make_claimable(signal)
    assert decision(signal).status == ("timeout" if fault is None else "provider_error")
    totals = simulator.totals()
    assert (totals["received"], totals["answered"] <= 1) == (1, True)
    breaker = Breaker.objects.get()
    assert (breaker.failures, breaker.cause) == (1, "timeout" if fault is None else "provider_down")


def test_a_worker_held_up_for_most_of_its_lease_leaves_the_question_to_another(
    register: Register, enriched: Enriched, simulator: Simulator
) -> None:
    register(timeout_ms=2_000)
    signal = enriched("chatgpt")
    held = claim(str(signal.pk), "chatgpt")
    assert held is not None
    held.safe_until -= 4.5
    with pytest.raises(Transient) as caught:
        judge(held)
    assert (caught.value.code, simulator.totals()["received"]) == ("timeout", 0)
    held.retry(0, caught.value)
    make_claimable(signal)
    run(str(signal.pk), "chatgpt")
    assert (decision(signal).status, simulator.totals()["received"]) == ("ok", 1)


def test_past_the_deadline_nobody_is_asked(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register()
    signal = enriched("chatgpt")
    assert claim(str(signal.pk), "chatgpt") is not None
    make_claimable(signal, claimed_at=Now() - timedelta(seconds=46))
    run(str(signal.pk), "chatgpt")
    assert (decision(signal).status, simulator.totals()["received"]) == ("timeout", 0)


@pytest.mark.parametrize("removed", [True, False])
def test_a_model_disabled_after_it_was_expected_abstains(
    register: Register, enriched: Enriched, simulator: Simulator, removed: bool
) -> None:
    model = register()
    signal = enriched("chatgpt")
    if removed:
        model.delete()
    else:
        EvaluationModel.objects.update(enabled=False)
    forget_registry()
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    assert (row.status, row.reason.partition(":")[0]) == ("provider_error", "model_disabled")
    assert simulator.totals()["received"] == 0


def test_a_bug_is_a_fallback_and_a_dead_letter(register: Register, enriched: Enriched) -> None:
    register()
    signal = enriched("chatgpt", text="[1]")
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    letter = DeadLetter.objects.get()
    assert (row.status, row.reason.partition(":")[0]) == ("provider_error", "internal_error")
    assert (letter.stage, letter.reason_code, letter.event_id) == ("evaluate", "internal_error", signal.pk)


def test_an_evaluation_that_kills_workers_is_given_up(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register()
    signal = enriched("chatgpt")
    for _ in range(3):
        assert claim(str(signal.pk), "chatgpt") is not None
        make_claimable(signal)
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    assert (row.status, row.reason.partition(":")[0]) == ("provider_error", "worker_lost")
    assert simulator.totals()["received"] == 0


def test_an_unexpected_model_or_an_unready_signal_is_nobodys_to_judge(
    register: Register, enriched: Enriched, make_signal: Callable[..., Signal]
) -> None:
    register()
    assert claim(str(enriched("other").pk), "chatgpt") is None
    assert claim(str(make_signal().pk), "chatgpt") is None
    assert not Decision.objects.exists()


def in_parallel(count: int, work: Callable[[], Any]) -> list[Any]:
    """The results of the work, done by so many threads at once."""
    results: list[Any] = []
    barrier = threading.Barrier(count)

    def body() -> None:
        barrier.wait(10)
        try:
            results.append(work())
        finally:
            connection.close()

    threads = [threading.Thread(target=body) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def test_the_same_evaluation_eight_times_at_once_is_one_paid_call(
    register: Register, enriched: Enriched, simulator: Simulator
) -> None:
    register()
    signal = enriched("chatgpt")
    simulator.latency(0.3)
    held = in_parallel(8, lambda: run(str(signal.pk), "chatgpt"))
    assert len(held) == 8
    assert len([one for one in held if one is not None]) == 1
    assert (simulator.totals()["received"], ModelCall.objects.count()) == (1, 1)
    assert decision(signal).status == "ok"


def test_a_worker_that_was_taken_over_writes_nothing_but_what_it_paid(
    register: Register, enriched: Enriched, simulator: Simulator
) -> None:
    register()
    signal = enriched("chatgpt")
    slow = claim(str(signal.pk), "chatgpt")
    assert slow is not None
    make_claimable(signal)
    simulator.script("answers", {"kind": "refusal", "times": 1})
    run(str(signal.pk), "chatgpt")
    judge(slow)
    row = decision(signal)
    assert (row.status, slow.settled, slow.completes) == ("refused", False, False)
    assert [call.outcome for call in row.calls.all()] == ["refused", "ok"]
    assert TimelineEntry.objects.filter(event_id=signal.pk, status="decision").count() == 1


def test_of_two_models_finishing_at_once_exactly_one_completes_the_set(register: Register, enriched: Enriched) -> None:
    for name in ("one", "two"):
        register(name)
    for _ in range(5):
        signal = enriched("one", "two")
        names = iter(["one", "two"])
        held = in_parallel(2, lambda: run(str(signal.pk), next(names)))  # noqa: B023  used up within the round
        assert sorted(one.completes for one in held) == [False, True]


def test_an_answer_already_paid_for_is_saved_and_not_asked_for_again(
    register: Register, enriched: Enriched, simulator: Simulator
) -> None:
    register()
    signal = enriched("chatgpt")
    held = claim(str(signal.pk), "chatgpt")
    assert held is not None
    judge(held)
    Decision.objects.update(status="", decision="")
    held.retry(1.0, Transient("database_down", "The database did not answer."))
    assert decision(signal).status == "ok"
    assert (simulator.totals()["received"], ModelCall.objects.count()) == (1, 1)


def test_the_round_of_an_open_never_outlasts_the_signals_usefulness(enriched: Enriched, make_signal: Callable[..., Signal]) -> None:
    opening = make_signal()
    late = opening.ts_utc + timedelta(seconds=290)
    assert deadline_from(opening, opening.ts_utc) == opening.ts_utc + timedelta(seconds=45)
    assert deadline_from(opening, late) == opening.ts_utc + timedelta(seconds=300)
    closing = make_signal(event_type="CLOSE_SIGNAL", signal_direction="close_long")
    assert deadline_from(closing, late) == late + timedelta(seconds=45)


def test_the_deadline_and_the_use_of_a_decision_are_the_installations(settings: Any, make_signal: Callable[..., Signal]) -> None:
    settings.LENS = settings.LENS.model_copy(update={"evaluation_deadline_s": 7, "decision_ttl_s": 60})
    signal = make_signal()
    assert deadline_from(signal, signal.ts_utc) == signal.ts_utc + timedelta(seconds=7)
    assert valid_until(signal) == signal.ts_utc + timedelta(seconds=60)


def test_a_claim_holds_for_the_timeout_and_five_seconds(register: Register, enriched: Enriched) -> None:
    register(timeout_ms=7_000)
    held: EvaluationClaim | None = claim(str(enriched("chatgpt").pk), "chatgpt")
    row = Decision.objects.get()
    assert held is not None
    assert row.lease_until is not None
    assert timedelta(seconds=11.5) < row.lease_until - row.claimed_at < timedelta(seconds=12.5)
    assert 40 < held.left_s <= 45


@pytest.mark.parametrize("before", [{"enabled": False}, None])
def test_a_panel_frozen_by_a_process_that_looked_later_is_asked(register: Register, enriched: Enriched, before: Any) -> None:
    """A model was added, or enabled, within the second for which this process goes by what it read."""
    model = register(**(before or {}))
    if before is None:
        EvaluationModel.objects.all().delete()
    assert enabled_models() == []
    model.enabled = True
    model.save()
    signal = enriched("chatgpt")
    run(str(signal.pk), "chatgpt")
    assert decision(signal).status == "ok"
