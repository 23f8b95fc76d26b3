"""Where a signal's field is found in a message: a path, a template or a constant, and alternatives of these. Pure.

| rule                      | means                                                                       |
|---------------------------|-----------------------------------------------------------------------------|
| `order.price`             | the value at that path; names are compared without case, `-` and `_` alike   |
| `{{exchange}}:{{ticker}}` | the text with each path filled in; nothing when one of them is missing       |
| `=0.1`                    | always this                                                                 |
| a list of these           | the first that finds something                                              |
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.money import plain

Rules = Mapping[str, Sequence[str]]

FIELDS = (
    "symbol",
    "entry_price",
    "size",
    "position_size",
    "liquidation_price",
    "ts_utc",
    "action",
    "position",
    "previous_position",
    "event_type",
    "signal_direction",
    "feature_profile",
    "idempotency_key",
)
METADATA = "metadata."
LONGEST_RULE = 200

GENERIC: Rules = {name: [name] for name in FIELDS} | {
    "position": ["position", "market_position"],
    "previous_position": ["previous_position", "prev_market_position"],
}
# The placeholders under their own names, then under the names alerts in the wild give them. `volume` is left out on purpose: it is
# the bar's as often as the order's.
TRADINGVIEW: Rules = {
    "symbol": ["ticker", "symbol", "tv_instrument", "market", "pair", "data.ticker"],
    "entry_price": [
        "strategy.order.price",
        "strategy.order_price",
        "order_price",
        "price",
        "entry_price",
        "close",
        "bar.close",
        "trigger_price",
        "data.strategy_order_price",
    ],
    "size": [
        "strategy.order.contracts",
        "strategy.order_contracts",
        "contracts",
        "quantity",
        "qty",
        "size",
        "amount",
        "order.amount",
    ],
    "position_size": [
        "strategy.market_position_size",
        "market_position_size",
        "strategy_info.market_position_size",
    ],
    "liquidation_price": ["liquidation_price"],
    "ts_utc": ["timenow", "fired_at", "fire_time", "ts_utc", "ts", "timestamp", "time", "date"],
    "action": [
        "strategy.order.action",
        "strategy.order_action",
        "order_action",
        "action",
        "side",
        "signal",
        "order",
        "data.strategy_order_action",
        "data",
    ],
    "position": ["strategy.market_position", "market_position", "strategy_info.market_position", "sentiment", "position"],
    "previous_position": [
        "strategy.prev_market_position",
        "prev_market_position",
        "strategy_info.prev_market_position",
        "data.strategy_prev_market_position",
    ],
    "event_type": ["event_type"],
    "signal_direction": ["signal_direction"],
    "feature_profile": ["feature_profile"],
    "idempotency_key": ["idempotency_key"],
    "metadata.interval": ["interval", "timeframe"],
    "metadata.exchange": ["exchange", "tv_exchange"],
    "metadata.order_id": ["strategy.order.id", "strategy.order_id", "order_id"],
    "metadata.comment": ["strategy.order.comment", "comment"],
}
DEFAULTS: Mapping[str, Rules] = {"tradingview": TRADINGVIEW, "generic": GENERIC}

_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]*")
_SLOT = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")


@dataclass(frozen=True)
class Found:
    """A value and the rule that found it."""

    value: str
    rule: str


def faults(mapping: object) -> list[str]:
    """What is wrong with a mapping a person wrote, one sentence each; an empty list is good."""
    if not isinstance(mapping, dict):
        return ["A mapping is an object: field → rule."]
    found = []
    for name, given in mapping.items():
        if name not in FIELDS and not re.fullmatch(r"metadata\.[a-z0-9_]{1,40}", name):
            found.append(f"{name[:60]}: no such field; use {', '.join(FIELDS)} or metadata.<name>.")
        elif not _alternatives(given) or not all(map(_is_rule, _alternatives(given))):
            found.append(f"{name}: give a path, a template with {{{{path}}}}, =constant, or a list of these.")
    return found


def merged(kind: str, mapping: Mapping[str, Any]) -> Rules:
    """The kind's defaults with the hook's own rules in their place."""
    return {**DEFAULTS[kind], **{name: _alternatives(given) for name, given in mapping.items()}}


def find(sample: Mapping[str, Any], alternatives: Sequence[str]) -> Found | None:
    """The first alternative that yields a text or number; None when none does."""
    for rule in alternatives:
        value = _yield_of(rule, sample)
        if value:
            return Found(value, rule)
    return None


def _alternatives(given: object) -> list[str]:
    return [given] if isinstance(given, str) else list(given) if isinstance(given, list) else []


def _is_rule(rule: object) -> bool:
    if not isinstance(rule, str) or not 0 < len(rule) <= LONGEST_RULE:
        return False
    return rule.startswith("=") or bool(_SLOT.search(rule)) or bool(_PATH.fullmatch(rule))


def _yield_of(rule: str, sample: Mapping[str, Any]) -> str:
    if rule.startswith("="):
        return rule[1:].strip()
    slots = _SLOT.findall(rule)
    if not slots:
        return _at(sample, rule)
    values = {slot: _at(sample, slot) for slot in slots}
    return _SLOT.sub(lambda slot: values[slot[1]], rule) if all(values.values()) else ""


def _at(sample: Mapping[str, Any], path: str) -> str:
    """The scalar at a path as text. A name may hold dots itself, so the longest name that fits is tried first."""
    return _descend(sample, _plain_name(path).split("."))


def _descend(value: Any, parts: list[str]) -> str:
    if not parts:
        return _text(value)
    if not isinstance(value, Mapping):
        return ""
    members = {_plain_name(name): member for name, member in value.items()}
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in members and (text := _descend(members[name], parts[length:])):
            return text
    return ""


def _plain_name(name: str) -> str:
    return name.strip().lower().replace("-", "_")


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return plain(value) if -40 < value.adjusted() < 40 else str(value)
    return value.strip() if isinstance(value, str) else ""
