"""The shape of frames, against the contract's own example."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from evaluation.models import Decision, Verdict
from evaluation.schemas import FALLBACK
from publishing.frames import Published, Setting, decision_frame, unjudged_frame, verdict_frame
from signals.models import Signal

EVENT = UUID("01990000-0000-7000-8000-000000000001")
JUDGED = UUID("01990000-0000-7000-8000-000000000002")
NINE = datetime(2026, 1, 5, 9, tzinfo=UTC)
SETTING = Setting(market="hyperliquid", ttl=timedelta(seconds=300))
HEAD = {
    "event_id": str(EVENT),
    "evaluation": 0,
    "symbol": "BTC",
    "event_type": "OPEN_SIGNAL",
    "source": "desk_7",
    "market": "hyperliquid",
    "valid_until": "2026-01-05T09:05:00.000Z",
}


def signal(**changes: Any) -> Signal:
    return Signal(**{"id": EVENT, "symbol": "BTC", "event_type": "OPEN_SIGNAL", "source": "desk_7", "ts_utc": NINE, **changes})


def test_a_decision_frame_is_the_contracts_example() -> None:
    answer = {
        "decision": "FOLLOW_ENTER",
        "confidence": 0.62,
        "entry_plan": {"type": "limit", "offset_bps": -5},
        "risk_plan": {"stop_method": "atr", "atr_multiple": 2.0},
        "size_pct": 12,
        "reasons": ["ema_bullish_stack"],
    }
    clamp = {"field": "size_pct", "from": 40, "to": 12, "rule": "max_position_size_pct"}
    decision = Decision(
        id=JUDGED,
        model="chatgpt",
        decision="FOLLOW_ENTER",
        confidence=0.62,
        status="ok",
        answer=answer,
        original={"size_pct": 40},
        adjustments=[clamp],
    )
    assert decision_frame(signal(), decision, SETTING).model_dump(mode="json") == {
        **HEAD,
        "type": "decision",
        "model": "chatgpt",
        "decision": "FOLLOW_ENTER",
        "confidence": 0.62,
        "status": "ok",
        "fallback": False,
        "data": {
            "decision_id": str(JUDGED),
            "entry_plan": {"type": "limit", "offset_bps": -5},
            "risk_plan": {"stop_method": "atr", "atr_multiple": 2.0},
            "size_pct": 12,
            "reasons": ["ema_bullish_stack"],
            "evidence_for": [],
            "evidence_against": [],
            "original": {"size_pct": 40},
            "adjustments": [clamp],
        },
    }


def test_a_verdict_frame_carries_the_votes_and_no_model() -> None:
    votes = [{"model": "chatgpt", "decision": "FOLLOW_ENTER", "confidence": 0.62, "status": "ok"}]
    verdict = Verdict(decision="FOLLOW_ENTER", confidence=0.58, policy="majority", votes=votes, disagreement=0.0)
    assert verdict_frame(signal(), verdict, SETTING).model_dump(mode="json") == {
        **HEAD,
        "type": "verdict",
        "model": None,
        "decision": "FOLLOW_ENTER",
        "confidence": 0.58,
        "fallback": False,
        "data": {"policy": "majority", "policy_version": 1, "votes": votes, "disagreement": 0.0, "reason": None},
    }


@pytest.mark.parametrize(("event_type", "word"), list(FALLBACK.items()))
def test_a_signal_that_was_never_judged_opens_nothing_and_holds_no_exit_back(event_type: str, word: str) -> None:
    frame = unjudged_frame(signal(event_type=event_type), word, "price_drift", SETTING)
    assert (frame.type, frame.decision, frame.confidence, frame.fallback) == ("verdict", word, None, True)
    assert (frame.data.votes, frame.data.reason, frame.data.policy) == ([], "price_drift", None)


@pytest.mark.parametrize(("late", "stale"), [(timedelta(0), "false"), (timedelta(milliseconds=1), "true")])
def test_what_differs_between_subscriptions_is_spliced_in_front(late: timedelta, stale: str) -> None:
    frame = Published(7, "e", "decision", "chatgpt", "BTC", "OPEN_SIGNAL", "desk_7", NINE, '{"model": "chatgpt"}')
    text = frame.render(3, snapshot=True, now=NINE + late)
    shared = '"model": "chatgpt"}'
    assert text == f'{{"type":"decision","epoch":"e","seq":7,"prev_seq":3,"snapshot":true,"stale":{stale},{shared}'
