"""From a payload to a model's answer: pure, deterministic, legal.

    payload + model name ──blake2b──▶ 16 bytes ──▶ decision, confidence, plans, size, evidence, reasons

The same prompt to the same model always yields the same answer, so a re-run can be compared with what was stored, and two
models differ as two models would. An answer is always legal for its event: OPEN_SIGNAL gets FOLLOW_ENTER (with plans and a size
within the payload's policy) or IGNORE; CLOSE_SIGNAL gets FOLLOW_EXIT, HOLD or TIGHTEN_STOP (with a stop). A fixed stop lies on
the losing side of the price and short of the liquidation price when the payload states one. Evidence cites fields that are
in the payload, with the values found there. Without a payload the answer is IGNORE for the reason `no_payload`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from hashlib import blake2b
from math import isfinite
from typing import Any

from sandbox.llm.payloads import Payload

Answer = dict[str, Any]

_SIX_DIGITS = Context(prec=6)
_PRICES = ("entry_price", "mid", "mid_price", "mark_price", "mark", "price")
_LIQUIDATION = ("liquidation_price",)
_DIRECTION = ("signal_direction", "direction", "side")
_POLICY_SIZE = ("max_position_size_pct",)
_SIGNAL_FIELDS = frozenset({"event_id", "event_type", "entry_price", "size", "liquidation_price"})

_REASONS = {
    "FOLLOW_ENTER": ("trend_aligned", "momentum_confirms", "spread_tight", "funding_favourable"),
    "IGNORE": ("trend_against", "momentum_weak", "spread_wide", "funding_adverse"),
    "FOLLOW_EXIT": ("momentum_lost", "level_reached", "volatility_rising", "trend_broken"),
    "HOLD": ("trend_intact", "pullback_only", "level_ahead", "volatility_calm"),
    "TIGHTEN_STOP": ("profit_at_risk", "level_near", "momentum_fading", "volatility_rising"),
}


@dataclass(frozen=True, slots=True)
class Dice:
    """Sixteen bytes, each a throw of its own: `unit` gives 0–1, `pick` one of several, `within` a rounded number in a range."""

    digest: bytes

    def unit(self, throw: int) -> float:
        return self.digest[throw] / 255

    def pick(self, throw: int, choices: Sequence[str]) -> str:
        return choices[self.digest[throw] % len(choices)]

    def within(self, throw: int, low: float, high: float) -> float:
        return round(low + (high - low) * self.unit(throw), 2)


def form_opinion(payload: Payload | None, model: str) -> Answer:
    """The answer `model` gives to `payload`, with every key of the answer's schema present (absent plans are None)."""
    if payload is None:
        return _answer("IGNORE", 0.0, ["no_payload"])
    dice = Dice(blake2b(f"{model}\0{payload.text}".encode(errors="surrogatepass"), digest_size=16).digest())
    data = payload.data
    decision = _decide(data, dice)
    low = 0.5 if decision in {"FOLLOW_ENTER", "FOLLOW_EXIT"} else 0.15
    answer = _answer(decision, dice.within(1, low, low + 0.34), _reasons(decision, dice))
    answer["evidence_for"], answer["evidence_against"] = _evidence(data, dice)
    if decision == "FOLLOW_ENTER":
        answer["entry_plan"] = _entry_plan(dice)
        answer["size_pct"] = _size(data, dice)
    if decision in {"FOLLOW_ENTER", "TIGHTEN_STOP"}:
        answer["risk_plan"] = _risk_plan(data, dice)
    return answer


def is_close(data: Mapping[str, Any]) -> bool:
    """Whether the payload asks about leaving a position; its direction speaks when the event type is missing."""
    event_type = data.get("event_type")
    if isinstance(event_type, str):
        return event_type == "CLOSE_SIGNAL"
    return _text(data, _DIRECTION).startswith("close")


def _answer(decision: str, confidence: float, reasons: list[str]) -> Answer:
    return {
        "evidence_for": [],
        "evidence_against": [],
        "decision": decision,
        "confidence": confidence,
        "entry_plan": None,
        "risk_plan": None,
        "size_pct": None,
        "reasons": reasons,
    }


def _decide(data: Mapping[str, Any], dice: Dice) -> str:
    if is_close(data):
        return dice.pick(0, ("FOLLOW_EXIT", "FOLLOW_EXIT", "HOLD", "TIGHTEN_STOP"))
    return dice.pick(0, ("FOLLOW_ENTER", "FOLLOW_ENTER", "FOLLOW_ENTER", "IGNORE", "IGNORE"))


def _reasons(decision: str, dice: Dice) -> list[str]:
    words = _REASONS[decision]
    start = dice.digest[2] % len(words)
    return [words[(start + step) % len(words)] for step in range(1 + dice.digest[3] % 3)]


def _entry_plan(dice: Dice) -> Answer:
    if dice.digest[4] % 2:
        return {"type": "market", "offset_bps": None}
    return {"type": "limit", "offset_bps": -dice.within(5, 1, 10)}


def _size(data: Mapping[str, Any], dice: Dice) -> float:
    size = dice.within(6, 2, 18)
    policy = _number(data, _POLICY_SIZE)
    return size if policy is None else min(size, float(policy))


def _risk_plan(data: Mapping[str, Any], dice: Dice) -> Answer:
    method = dice.pick(7, ("fixed", "atr", "trailing"))
    plan: Answer = {"stop_method": method, "stop_level": None, "atr_multiple": None, "trail_pct": None}
    stop = _stop_level(data, dice) if method == "fixed" else None
    if stop is not None:
        plan["stop_level"] = float(stop)
    elif method == "trailing":
        plan["trail_pct"] = dice.within(8, 0.5, 3)
    else:
        plan["stop_method"] = "atr"
        plan["atr_multiple"] = dice.within(8, 1, 3)
    return plan


def _stop_level(data: Mapping[str, Any], dice: Dice) -> Decimal | None:
    """A level 0.5–2.5 % to the losing side, drawn back to half way when liquidation would come first."""
    price, liquidation = _number(data, _PRICES), _number(data, _LIQUIDATION)
    if price is None or price <= 0:
        return None
    distance = Decimal(str(dice.within(9, 0.5, 2.5))) / 100
    short = _text(data, _DIRECTION).endswith("short")
    stop = price * (1 + distance if short else 1 - distance)
    if liquidation is not None and (liquidation - price) * (stop - price) > 0:
        half_way = (price + liquidation) / 2
        stop = min(stop, half_way) if short else max(stop, half_way)
    return _SIX_DIGITS.plus(stop)


def _evidence(data: Mapping[str, Any], dice: Dice) -> tuple[list[Answer], list[Answer]]:
    leaves = [leaf for name, value in data.items() if name not in _SIGNAL_FIELDS for leaf in _leaves(name, value)]
    if not leaves:
        return [], []
    cited = [leaves[dice.digest[throw] % len(leaves)] for throw in range(10, 13)]
    items = [{"code": path.rpartition(".")[2], "field": path, "value": value} for path, value in dict(cited).items()]
    cut = 1 + dice.digest[13] % len(items)
    return items[:cut], items[cut:]


def _leaves(path: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _leaves(f"{path}.{name}", member)
    elif isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        yield path, value


def _number(data: Mapping[str, Any], names: Sequence[str]) -> Decimal | None:
    """The first finite number under one of `names`, in the payload or one level down; decimal strings count."""
    for value in _values(data, names):
        if isinstance(value, bool):
            continue
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            continue
        if number.is_finite():
            return number
    return None


def _text(data: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((value for value in _values(data, names) if isinstance(value, str)), "")


def _values(data: Mapping[str, Any], names: Sequence[str]) -> Iterator[Any]:
    levels = [data, *(member for member in data.values() if isinstance(member, dict))]
    return (level[name] for name in names for level in levels if name in level)
