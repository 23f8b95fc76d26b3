"""Numbers cited as evidence are held against the payload."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from evaluation.facts import Facts
from evaluation.grounding import Grounding, ground
from evaluation.models import EvaluationModel
from evaluation.schemas import Answer
from signals.models import Signal
from tests.evaluation.cases import answer, facts, text
from tests.evaluation.conftest import Simulator
from tests.evaluation.test_judging import decision, run


def cited(field: str, value: Any) -> dict[str, Any]:
    return {"code": "no_trend", "field": field, "value": value}


def grounding(*items: dict[str, Any], data: Facts | None = None) -> Grounding:
    text = json.dumps(answer(evidence_for=items[:2], evidence_against=items[2:]))
    return ground(Answer.model_validate_json(text), data or facts())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timeframes.1h.ema_9", 59_900),
        ("timeframes.1h.ema_9", "59900"),
        ("1h.rsi_14", 58),
        ("rsi_14", 58.0),
        ("market.mid", 60_000),
        ("size", 0.1),
        ("constraints.max_position_size_pct", 30),
    ],
)
def test_a_number_that_stands_there_is_grounded(field: str, value: Any) -> None:
    assert grounding(cited(field, value)).ungrounded_ratio == 0


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("timeframes.1h.rsi_14", 71, "timeframes.1h.rsi_14 is 58, not 71.0."),
        ("market.funding", 0.01, "There is no field market.funding in the data."),
        ("sf_14", 58, "There is no field sf_14 in the data."),
        ("symbol", 1, "symbol is BTC, not 1.0."),
    ],
)
def test_a_number_that_does_not_is_named(field: str, value: Any, fault: str) -> None:
    assert grounding(cited(field, value)).faults == (fault,)


@pytest.mark.parametrize(("value", "ratio"), [(0.12, 0), (0.1234, 0), (0.13, 1), (0.1235, 1)])
def test_rounding_to_what_is_cited_is_no_fault(value: float, ratio: float) -> None:
    assert grounding(cited("size", value), data=facts(size=0.1234)).ungrounded_ratio == ratio


def test_the_share_counts_numbers_alone() -> None:
    mixed = grounding(cited("rsi_14", 58), cited("rsi_14", 99), cited("quality_flags", None), cited("symbol", "BTC"))
    assert (mixed.cited, mixed.ungrounded_ratio) == (2, 0.5)
    assert grounding(cited("symbol", "BTC")).ungrounded_ratio is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("limit", "status"), [(1.0, "ok"), (0.5, "incoherent")])
def test_policy_may_turn_made_up_evidence_into_incoherence(
    register: Callable[..., EvaluationModel],
    enriched: Callable[..., Signal],
    simulator: Simulator,
    settings: Any,
    limit: float,
    status: str,
) -> None:
    settings.LENS = settings.LENS.model_copy(update={"max_ungrounded_ratio": limit})
    register()
    signal = enriched("chatgpt")
    simulator.script("answers", {"kind": "text", "text": text(evidence_for=[cited("timeframes.1h.rsi_14", 71)])})
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    assert (row.status, row.ungrounded_ratio) == (status, 1.0)
    if status == "incoherent":
        assert row.reason == "timeframes.1h.rsi_14 is 58, not 71.0."
        assert simulator.prompts()[-1]["messages"][-1]["content"] == row.reason
