"""Hours of decisions folded into rows: the same figures whether they are counted now or were folded before."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from console.histogram import merged, percentile
from console.models import ModelHour
from console.rollup import HOUR, fold, hours_since
from console.scorecards import Scorecard, by_model, trend
from core.clock import now
from evaluation.models import Decision, Verdict
from tests.conftest import SignalFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def this_hour() -> datetime:
    return now().replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def decided(make_signal: SignalFactory) -> Any:
    """Stores decisions of new signals, each beside a verdict of FOLLOW_ENTER."""

    def decide(at: datetime, model: str = "chatgpt", **columns: Any) -> Decision:
        meta = {"latency_ms": 100, "tokens_in": 10, "tokens_out": 5, "cost_usd": "0.002", **columns.pop("model_meta", {})}
        fields = {"status": "ok", "decision": "FOLLOW_ENTER", "confidence": 0.6, "model_meta": meta, "evaluated_at": at}
        signal = make_signal()
        outcome = {"decision": "FOLLOW_ENTER", "policy": "majority", "votes": [], "disagreement": 0.0, "evaluated_at": at}
        Verdict.objects.create(signal=signal, **outcome)
        return Decision.objects.create(signal=signal, model=model, **{**fields, **columns})

    return decide


def totals(since: datetime) -> dict[str, tuple[Any, ...]]:
    cards = by_model(hours_since(since))
    return {
        name: (card.answers, card.validity, card.coverage, card.agreement, card.tokens, card.cost_usd)
        for name, card in cards.items()
    }


def test_folded_and_counted_hours_give_the_same_figures(decided: Any, this_hour: datetime) -> None:
    for hours in (30, 3, 3, 2):
        decided(this_hour - HOUR * hours)
    decided(this_hour - HOUR * 3, decision="IGNORE")
    decided(this_hour - HOUR * 3, status="schema_error", decision="IGNORE", fallback=True)
    decided(
        this_hour - HOUR * 2, status="timeout", decision="IGNORE", fallback=True, model_meta={"cost_usd": None, "tokens_in": None}
    )
    decided(this_hour - HOUR * 2, model="gemini", model_meta={"cost_usd": None})
    since = this_hour - HOUR * 48
    counted = totals(since)
    assert counted["chatgpt"] == (7, 5 / 6, 5 / 7, 4 / 5, 95, Decimal("0.012"))
    assert counted["gemini"][-1] is None
    assert fold() == 4
    assert totals(since) == counted
    assert fold() == 0


def test_the_open_hour_is_never_folded(decided: Any, this_hour: datetime) -> None:
    decided(now())
    assert fold() == 0
    assert totals(this_hour)["chatgpt"][0] == 1


def test_what_comes_after_the_folded_hours_is_counted_on_top(decided: Any, this_hour: datetime) -> None:
    decided(this_hour - HOUR * 5)
    fold()
    decided(now())
    assert ModelHour.objects.count() == 1
    assert totals(this_hour - HOUR * 48)["chatgpt"][0] == 2


def test_hours_in_which_a_round_only_carried_answers_over_are_nothing_to_fold(decided: Any, this_hour: datetime) -> None:
    first = decided(this_hour - HOUR * 5)
    decided(this_hour - HOUR * 3, carried_from=first.pk)
    assert (fold(), fold()) == (1, 0)
    assert totals(this_hour - HOUR * 48)["chatgpt"][0] == 1


def test_failures_are_counted_by_status(decided: Any, this_hour: datetime) -> None:
    for status in ("timeout", "timeout", "refused", "ok"):
        decided(this_hour, status=status)
    assert by_model(hours_since(this_hour))["chatgpt"].failures == [("timeout", 2), ("refused", 1)]


def test_a_trend_has_one_value_per_step_and_a_gap_where_nothing_was(decided: Any, this_hour: datetime) -> None:
    decided(this_hour - HOUR * 2)
    decided(this_hour, model="gemini")
    found = trend(by_model(hours_since(this_hour - HOUR * 3)), timedelta(hours=1), lambda card: card.coverage)
    assert found["times"] == [int((this_hour - HOUR * 2).timestamp()), int(this_hour.timestamp())]
    assert found["models"] == {"chatgpt": [1.0, None], "gemini": [None, 1.0]}


def test_nothing_has_no_shares() -> None:
    card = Scorecard(())
    assert (card.answers, card.validity, card.agreement, card.p95_ms, card.cost_usd) == (0, None, None, None, None)


@pytest.mark.parametrize("value", [1, 7, 40, 333, 1000, 19_999])
def test_a_percentile_is_within_five_percent_of_what_was_counted(decided: Any, this_hour: datetime, value: int) -> None:
    decided(this_hour, model_meta={"latency_ms": value})
    found = by_model(hours_since(this_hour))["chatgpt"].p50_ms
    assert found == pytest.approx(value, rel=0.05)


def test_percentiles_of_several_hours_together() -> None:
    counts = merged([{"24": 50, "32": 45}, {"64": 5}])
    assert percentile(counts, 0.5) == pytest.approx(8, rel=0.05)
    assert percentile(counts, 0.95) == pytest.approx(16, rel=0.05)
    assert percentile(counts, 0.99) == pytest.approx(256, rel=0.05)
    assert percentile({}, 0.5) is None
