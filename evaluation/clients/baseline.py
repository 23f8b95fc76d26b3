"""A judge made of rules: the yardstick for every other judge, and the one that is always there. No key, no network, no prose.

It reads the payload and adds up log-odds for following the signal. A side is the direction the position profits from:

| observation                                                    | weight                                       |
|----------------------------------------------------------------|----------------------------------------------|
| averages stacked with the side / against it, per timeframe     | ± 0.30 × share of the timeframe              |
| MACD histogram with the side / against it, per timeframe       | ± 0.15 × share                               |
| RSI stretched where the side would buy high (over 70) or low   | − 0.20 × share; stretched the other way +0.10 |
| price has run away from the entry by more than 50 bps          | − 0.20                                       |
| liquidation nearer than 5 % of the price                       | − 0.60                                       |
| each quality flag, at most four                                | − 0.10                                       |

Shares are 1, 1.5, 2, … from the shortest timeframe to the longest. For an OPEN: p = σ(−0.2 + Σ). For a CLOSE what favours the side
speaks for staying: p = σ(0.2 − Σ) over trend, momentum and liquidation. p is kept within 0.15 … 0.85. The weights are set by hand
and claim no more than their order; scoring will say what p is worth.

OPEN: FOLLOW_ENTER when p ≥ 0.5, a trend could be read and liquidation is not near; the size grows from a quarter of the policy's
largest at 0.5 to all of it at 0.8, with a stop at two ATRs. CLOSE: FOLLOW_EXIT when p ≥ 0.5 or no trend could be read, TIGHTEN_STOP
(one and a half ATRs) from 0.4, else HOLD.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from core.canonical import canonical
from evaluation.facts import Facts, Timeframe, read
from evaluation.ports import Endpoint, Limits, Prompt, Reply

VERSION = "baseline-v1"
MOST_EVIDENCE = 4
_FAR_BPS = Decimal(50)
_NEAR_PCT = Decimal(5)
_STRETCHED = Decimal(70)
_MIDDLE = Decimal(50)
_TREND_CODES = frozenset({"ema_bullish_stack", "ema_bearish_stack", "ema_mixed"})


@dataclass(frozen=True)
class _Sign:
    """One observation and the log-odds it adds for the side."""

    code: str
    field: str
    value: Decimal | str
    weight: float


@dataclass(frozen=True)
class Baseline:
    """The rules above, behind the port of every judge."""

    endpoint: Endpoint

    def prepare(self) -> None:
        """See ModelClient; there is nothing to make."""

    def ask(self, prompt: Prompt, limits: Limits) -> Reply:
        """See ModelClient; it never fails."""
        return Reply(canonical(opinion(read(prompt.payload))), model_version=VERSION)


def opinion(facts: Facts) -> dict[str, Any]:
    """The answer, in the shape every model answers."""
    opens = facts.event_type == "OPEN_SIGNAL"
    signs = [*_trend(facts), *_liquidation(facts)]
    if opens:
        signs += [*_drift(facts), *_quality(facts)]
    total = sum(sign.weight for sign in signs)
    p = min(max(1 / (1 + math.exp(0.2 - total if opens else total - 0.2)), 0.15), 0.85)
    decision = (_enter_or_not if opens else _leave_or_not)(p, signs)
    toward = 1 if opens else -1
    return {
        "evidence_for": _evidence(sign for sign in signs if sign.weight * toward > 0),
        "evidence_against": _evidence(sign for sign in signs if sign.weight * toward < 0),
        "decision": decision,
        "confidence": round(p, 4),
        "entry_plan": {"type": "market", "offset_bps": None} if decision == "FOLLOW_ENTER" else None,
        "risk_plan": _risk_plan(decision),
        "size_pct": _size(p, facts) if decision == "FOLLOW_ENTER" else None,
        "reasons": _reasons(signs),
    }


def _enter_or_not(p: float, signs: list[_Sign]) -> str:
    doomed = any(sign.code == "tight_liquidation" for sign in signs)
    return "FOLLOW_ENTER" if p >= 0.5 and _has_trend(signs) and not doomed else "IGNORE"


def _leave_or_not(p: float, signs: list[_Sign]) -> str:
    if p >= 0.5 or not _has_trend(signs):
        return "FOLLOW_EXIT"
    return "TIGHTEN_STOP" if p >= 0.4 else "HOLD"


def _has_trend(signs: list[_Sign]) -> bool:
    return any(sign.code in _TREND_CODES for sign in signs)


def _trend(facts: Facts) -> Iterator[_Sign]:
    for place, frame in enumerate(facts.timeframes):
        share = 1 + place / 2
        yield from _stack(frame, share if facts.long else -share)
        yield from _momentum(frame, share if facts.long else -share)
        yield from _stretch(frame, share, long=facts.long)


def _stack(frame: Timeframe, share: float) -> Iterator[_Sign]:
    """All averages in order, strictly: cited by the fastest."""
    known = [average for _, average in frame.averages if average is not None]
    if len(known) < 2 or len(known) < len(frame.averages):
        return
    bullish = all(faster > slower for faster, slower in pairwise(known))
    bearish = all(faster < slower for faster, slower in pairwise(known))
    code = "ema_bullish_stack" if bullish else "ema_bearish_stack" if bearish else "ema_mixed"
    field = f"timeframes.{frame.interval}.{frame.averages[0][0]}"
    yield _Sign(code, field, known[0], 0.3 * share * (bullish - bearish))


def _momentum(frame: Timeframe, share: float) -> Iterator[_Sign]:
    if frame.macd_hist:
        rising = frame.macd_hist > 0
        code = "macd_bullish_cross" if rising else "macd_bearish_cross"
        yield _Sign(code, f"timeframes.{frame.interval}.macd_hist", frame.macd_hist, 0.15 * share if rising else -0.15 * share)


def _stretch(frame: Timeframe, share: float, *, long: bool) -> Iterator[_Sign]:
    name, rsi = frame.rsi
    if rsi is None or abs(rsi - _MIDDLE) <= _STRETCHED - _MIDDLE:
        return
    high = rsi > _MIDDLE
    code = "rsi_overbought" if high else "rsi_oversold"
    yield _Sign(code, f"timeframes.{frame.interval}.{name}", rsi, (-0.2 if high == long else 0.1) * share)


def _drift(facts: Facts) -> Iterator[_Sign]:
    drift = facts.number("market.drift_bps")
    if drift is not None and (drift if facts.long else -drift) > _FAR_BPS:
        yield _Sign("price_moved_away", "market.drift_bps", drift, -0.2)


def _liquidation(facts: Facts) -> Iterator[_Sign]:
    if facts.room_pct is not None and facts.room_pct < _NEAR_PCT and facts.liquidation_price is not None:
        yield _Sign("tight_liquidation", "liquidation_price", facts.liquidation_price, -0.6)


def _quality(facts: Facts) -> Iterator[_Sign]:
    for flag in facts.flags[:4]:
        yield _Sign("data_stale" if flag.startswith("stale") else "data_missing", "quality_flags", flag[:200], -0.1)


def _evidence(signs: Iterator[_Sign]) -> list[dict[str, Any]]:
    strongest = sorted(signs, key=lambda sign: -abs(sign.weight))[:MOST_EVIDENCE]
    return [
        {"code": sign.code, "field": sign.field, "value": sign.value if isinstance(sign.value, str) else float(sign.value)}
        for sign in strongest
    ]


def _reasons(signs: list[_Sign]) -> list[str]:
    ranked = sorted(signs, key=lambda sign: -abs(sign.weight))
    return list(dict.fromkeys(sign.code for sign in ranked))[:8] or ["no_trend"]


def _risk_plan(decision: str) -> dict[str, Any] | None:
    multiple = {"FOLLOW_ENTER": 2.0, "TIGHTEN_STOP": 1.5}.get(decision)
    if multiple is None:
        return None
    return {"stop_method": "atr", "stop_level": None, "atr_multiple": multiple, "trail_pct": None}


def _size(p: float, facts: Facts) -> float | None:
    if facts.max_size_pct is None:
        return None
    return round(float(facts.max_size_pct) * min(0.25 + (p - 0.5) * 2.5, 1.0), 2)
