"""Held to policy, every change on record, nothing widened."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.facts import read
from evaluation.guard import fallback, guard
from evaluation.schemas import FALLBACK, Answer
from tests.evaluation.cases import answer, facts, fixed, payload

OPEN = facts()
SHORT = facts(signal_direction="short", liquidation_price=66_000)


def parsed(**changes: Any) -> Answer:
    return Answer.model_validate_json(json.dumps(answer(**changes)))


def test_an_answer_within_the_limits_is_left_alone() -> None:
    held = guard(parsed(), OPEN)
    assert held.adjustments == []
    assert held.original == {}
    assert held.effective == parsed().model_dump(mode="json")


@pytest.mark.parametrize(
    ("changes", "seen", "adjusted"),
    [
        ({"size_pct": 40}, OPEN, ("size_pct", 40, 30, "max_position_size_pct")),
        ({"size_pct": 30.5}, OPEN, ("size_pct", 30.5, 30, "max_position_size_pct")),
        (
            {"size_pct": 12},
            facts(constraints={"max_position_size_pct": 7.5}),
            ("size_pct", 12, 7.5, "max_position_size_pct"),
        ),
        ({"risk_plan": fixed(53_000)}, OPEN, ("risk_plan.stop_level", 53_000, 54_300, "stop_before_liquidation")),
        ({"risk_plan": fixed(54_000)}, OPEN, ("risk_plan.stop_level", 54_000, 54_300, "stop_before_liquidation")),
        ({"risk_plan": fixed(67_000)}, SHORT, ("risk_plan.stop_level", 67_000, 65_700, "stop_before_liquidation")),
        (
            {"risk_plan": {"stop_method": "trailing", "trail_pct": 12}},
            OPEN,
            ("risk_plan.trail_pct", 12, 9.5, "stop_before_liquidation"),
        ),
        (
            {"risk_plan": {"stop_method": "atr", "atr_multiple": 10}},
            OPEN,
            ("risk_plan.atr_multiple", 10, 9.5, "stop_before_liquidation"),
        ),
    ],
)
def test_what_exceeds_the_policy_is_drawn_back_and_recorded(changes: Any, seen: Any, adjusted: tuple[Any, ...]) -> None:
    held = guard(parsed(**changes), seen)
    assert held.adjustments == [dict(zip(("field", "from", "to", "rule"), adjusted, strict=True))]
    outer, _, inner = str(adjusted[0]).partition(".")
    effective = held.effective[outer][inner] if inner else held.effective[outer]
    assert effective == adjusted[2]


def test_the_models_own_answer_can_be_put_together_again() -> None:
    own = parsed(size_pct=100, risk_plan=fixed(1))
    held = guard(own, OPEN)
    assert {**held.effective, **held.original} == own.model_dump(mode="json")
    assert set(held.original) == {"size_pct", "risk_plan"}


def test_without_a_policy_or_a_liquidation_price_there_is_nothing_to_hold_to() -> None:
    bare = facts(constraints=None, liquidation_price=None)
    assert guard(parsed(size_pct=100, risk_plan=fixed(1)), bare).adjustments == []


@given(
    size=st.floats(0, 100),
    level=st.floats(1e-6, 59_999),
    multiple=st.floats(0.5, 10),
    trail=st.floats(0, 100),
    cap=st.floats(0.1, 100),
    liquidation=st.floats(1, 59_000),
)
def test_no_answer_gets_past_the_limits(
    size: float, level: float, multiple: float, trail: float, cap: float, liquidation: float
) -> None:
    seen = read(payload(constraints={"max_position_size_pct": cap}, liquidation_price=liquidation))
    plan = {"stop_method": "fixed", "stop_level": level, "atr_multiple": multiple, "trail_pct": trail}
    effective = guard(parsed(size_pct=size, risk_plan=plan), seen).effective
    assert effective["size_pct"] <= cap
    assert liquidation < effective["risk_plan"]["stop_level"] < 60_000
    assert 60_000 * (1 - effective["risk_plan"]["trail_pct"] / 100) > liquidation
    assert 60_000 - 600 * effective["risk_plan"]["atr_multiple"] > liquidation


@pytest.mark.parametrize("event_type", list(FALLBACK))
def test_a_fallback_never_opens_and_never_holds_an_exit_back(event_type: str) -> None:
    assert fallback(FALLBACK[event_type], "timeout") == {
        "evidence_for": [],
        "evidence_against": [],
        "decision": {"OPEN_SIGNAL": "IGNORE", "CLOSE_SIGNAL": "FOLLOW_EXIT"}[event_type],
        "confidence": None,
        "entry_plan": None,
        "risk_plan": None,
        "size_pct": None,
        "reasons": ["timeout"],
    }
