"""What the chart of a signal shows: the bars kept beside its enrichment, and the prices that mattered. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from console.pages.market import levels_of
from core.money import plain
from enrichment.models import Enrichment
from evaluation.facts import Facts, number, read
from signals.models import Signal

MOST_LEVELS = 2

Level = dict[str, str]


def drawing(signal: Signal, seen: Enrichment, decisions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`bars` as stored, the signal's instant in epoch seconds, and every level with its name and kind."""
    facts = read(seen.payload)
    return {
        **json.loads(seen.series),
        "at": int(signal.ts_utc.timestamp()),
        "side": "long" if signal.long else "short",
        "opens": signal.opens,
        "levels": [*_signal_levels(signal, facts), *_stops(facts, decisions), *_market_levels(facts)],
    }


def _signal_levels(signal: Signal, facts: Facts) -> Iterator[Level]:
    yield _level("entry", "entry", signal.entry_price)
    if signal.liquidation_price is not None:
        yield _level("liquidation", "liquidation", signal.liquidation_price)
    mid = facts.number("market.mid")
    if mid is not None:
        yield _level("price at judgement", "mid", mid)


def _stops(facts: Facts, decisions: Sequence[Mapping[str, Any]]) -> Iterator[Level]:
    """Where each model's effective plan would stop out: as stated, or so many true ranges or percent from the price."""
    for decision in decisions:
        plan = decision["data"]["risk_plan"]
        at = None if plan is None else _stop(plan, facts)
        if at is not None and at > 0:
            yield _level(f"stop {decision['model']}", "stop", at)


def _stop(plan: Mapping[str, Any], facts: Facts) -> Decimal | None:
    match plan.get("stop_method"):
        case "fixed":
            return number(plan.get("stop_level"))
        case "atr":
            multiple = number(plan.get("atr_multiple"))
            reach = None if multiple is None or facts.atr is None else multiple * facts.atr
        case _:
            trail = number(plan.get("trail_pct"))
            reach = None if trail is None or facts.price is None else trail / 100 * facts.price
    if reach is None or facts.price is None:
        return None
    return facts.price - reach if facts.long else facts.price + reach


def _market_levels(facts: Facts) -> Iterator[Level]:
    """The two strongest levels of either side; the table of levels has all of them."""
    stated = facts.at("levels")
    for side in ("support", "resistance") if isinstance(stated, Mapping) else ():
        for level in levels_of(stated, side)[:MOST_LEVELS]:
            price = number(level["price"])
            if price is not None and price > 0:
                yield _level(side, "level", price)


def _level(name: str, kind: str, price: Decimal) -> Level:
    return {"name": name, "kind": kind, "price": plain(price)}
