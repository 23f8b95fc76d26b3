"""Payloads and answers that the tests vary: a healthy rising market for a long at 60 000, and an answer that fits it."""

import json
from typing import Any

from core.canonical import canonical
from evaluation.facts import Facts, read

FRAME = {
    "close": 60_000,
    "ema_9": 59_900,
    "ema_21": 59_700,
    "ema_50": 59_300,
    "macd": 120,
    "macd_signal": 90,
    "macd_hist": 30,
    "rsi_14": 58,
    "atr_14": 600,
    "atr_bps": 100,
}
FALLING = {**FRAME, "ema_9": 60_100, "ema_21": 60_400, "ema_50": 60_900, "macd_hist": -30, "rsi_14": 42}
NO_FLAGS: dict[str, list[str]] = {"missing_data": [], "stale_data": [], "out_of_range": [], "provider_errors": []}


def payload(**changes: Any) -> str:
    """The canonical payload of an OPEN long, members replaced."""
    healthy = {
        "event_id": "0199aaaa-0000-7000-8000-000000000001",
        "event_type": "OPEN_SIGNAL",
        "symbol": "BTC",
        "signal_direction": "long",
        "entry_price": 60_000,
        "size": 0.1,
        "liquidation_price": 54_000,
        "market": {"venue": "sandbox", "mid": 60_000, "drift_bps": 0},
        "timeframes": {"15m": FRAME, "1h": FRAME, "4h": FRAME},
        "constraints": {"max_position_size_pct": 30, "max_leverage": 20},
        "quality_flags": NO_FLAGS,
        "quality_score": 1,
    }
    return canonical({**healthy, **changes})


def closing(**changes: Any) -> str:
    """The same market for a CLOSE of a long."""
    return payload(**{"event_type": "CLOSE_SIGNAL", "signal_direction": "close_long", **changes})


def facts(**changes: Any) -> Facts:
    """The payload, read."""
    return read(payload(**changes))


def answer(**changes: Any) -> dict[str, Any]:
    """An answer that is in order for the OPEN long, members replaced."""
    return {
        "evidence_for": [{"code": "ema_bullish_stack", "field": "timeframes.1h.ema_9", "value": 59_900}],
        "evidence_against": [],
        "decision": "FOLLOW_ENTER",
        "confidence": 0.57,
        "entry_plan": {"type": "limit", "offset_bps": -5},
        "risk_plan": {"stop_method": "atr", "stop_level": None, "atr_multiple": 2, "trail_pct": None},
        "size_pct": 12,
        "reasons": ["ema_bullish_stack"],
        **changes,
    }


def text(**changes: Any) -> str:
    """That answer as a model writes it."""
    return json.dumps(answer(**changes))


def fixed(level: float) -> dict[str, Any]:
    """A risk plan with a fixed stop."""
    return {"stop_method": "fixed", "stop_level": level, "atr_multiple": None, "trail_pct": None}
