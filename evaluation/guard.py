"""After the model: its answer held to the payload's policy, every change written down; the fallback where there is none. Pure.

The model is not asked for its consent, and no limit is ever widened.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.money import significant
from evaluation.facts import Facts
from evaluation.schemas import ENTER, Answer

# A stop must trigger before liquidation does: it may use this much of the way.
USABLE_ROOM = Decimal("0.95")

Changes = dict[str, tuple[Any, Any, str]]


@dataclass(frozen=True)
class Guarded:
    """The answer as it takes effect, what was changed (`{field, from, to, rule}`), and the changed members as the model had them.

    `{**effective, **original}` is the model's own answer.
    """

    effective: dict[str, Any]
    original: dict[str, Any]
    adjustments: list[dict[str, Any]]


def guard(answer: Answer, facts: Facts) -> Guarded:
    """The answer within the payload's limits."""
    changes: Changes = {}
    for rule in (_only_entries_open, _size, _stop):
        changes.update(rule(answer, facts))
    own = answer.model_dump(mode="json")
    effective = answer.model_dump(mode="json")
    for field, (_, to, _) in changes.items():
        outer, _, inner = field.partition(".")
        if inner:
            effective[outer][inner] = to
        else:
            effective[outer] = to
    return Guarded(
        effective,
        {name: value for name, value in own.items() if value != effective[name]},
        [{"field": field, "from": was, "to": to, "rule": rule} for field, (was, to, rule) in changes.items()],
    )


def fallback(word: str, tag: str) -> dict[str, Any]:
    """The answer published when there is none: `word` (evaluation/fallbacks), with no plan, no size and no confidence."""
    return {
        "evidence_for": [],
        "evidence_against": [],
        "decision": word,
        "confidence": None,
        "entry_plan": None,
        "risk_plan": None,
        "size_pct": None,
        "reasons": [tag],
    }


def _only_entries_open(answer: Answer, _: Facts) -> Changes:
    """A signal has one direction, and only FOLLOW_ENTER goes there: beside another word, an entry or a size would be a second."""
    if answer.decision == ENTER:
        return {}
    own = answer.model_dump(mode="json", include={"entry_plan", "size_pct"})
    return {name: (value, None, "only_entries_open") for name, value in own.items() if value is not None}


def _size(answer: Answer, facts: Facts) -> Changes:
    largest = facts.max_size_pct
    if answer.decision != ENTER or answer.size_pct is None or largest is None or Decimal(str(answer.size_pct)) <= largest:
        return {}
    return {"size_pct": (answer.size_pct, _plain(largest), "max_position_size_pct")}


def _stop(answer: Answer, facts: Facts) -> Changes:
    """A stop that liquidation would overtake is drawn closer, whatever its method; an ATR multiple only where the ATR is known."""
    plan, price, room = answer.risk_plan, facts.price, facts.room
    if plan is None or price is None or room is None or room <= 0:
        return {}
    reach = room * USABLE_ROOM
    level = price - reach if facts.long else price + reach
    furthest = {"stop_level": level, "trail_pct": reach / price * 100, "atr_multiple": reach / facts.atr if facts.atr else None}
    changes: Changes = {}
    for name, limit in furthest.items():
        stated: float | None = getattr(plan, name)
        if stated is None or limit is None:
            continue
        figure = Decimal(str(stated))
        if abs(price - figure) > reach if name == "stop_level" else figure > limit:
            changes[f"risk_plan.{name}"] = (stated, float(significant(limit, 6)), "stop_before_liquidation")
    return changes


def _plain(value: Decimal) -> float:
    """20, not 20.0: what people wrote in the policy."""
    return int(value) if value == value.to_integral_value() else float(value)
