"""What a payload says that matters for judging it: lifted once, missing is None. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

_PERCENT = Decimal(100)
_AVERAGE = re.compile(r"ema_(\d+)")
_RSI = re.compile(r"rsi_\d+")
_ATR = re.compile(r"atr_\d+")


def number(value: object) -> Decimal | None:
    """A finite number from JSON, written as a number or as decimal text; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


@dataclass(frozen=True)
class Timeframe:
    """Indicators of the newest closed bar of one interval."""

    interval: str
    values: Mapping[str, Any]

    @cached_property
    def averages(self) -> list[tuple[str, Decimal | None]]:
        """The EMAs by rising period, each with its field's name."""
        periods = sorted(int(found[1]) for name in self.values if (found := _AVERAGE.fullmatch(name)))
        return [(name, number(self.values[name])) for name in (f"ema_{period}" for period in periods)]

    @cached_property
    def macd_hist(self) -> Decimal | None:
        """MACD minus its signal line."""
        return number(self.values.get("macd_hist"))

    @cached_property
    def rsi(self) -> tuple[str, Decimal | None]:
        """The name of the RSI field and its value, 0 to 100."""
        return self._one(_RSI)

    @cached_property
    def atr(self) -> Decimal | None:
        """The average true range, as a price."""
        return self._one(_ATR)[1]

    def _one(self, pattern: re.Pattern[str]) -> tuple[str, Decimal | None]:
        name = next((name for name in self.values if pattern.fullmatch(name)), "")
        return name, number(self.values.get(name))


@dataclass(frozen=True)
class Facts:
    """A payload, read."""

    data: Mapping[str, Any]

    def at(self, path: str) -> Any:
        """What stands at a dotted path, None when the way breaks off."""
        node: Any = self.data
        for step in path.split("."):
            if not isinstance(node, Mapping):
                return None
            node = node.get(step)
        return node

    def number(self, *paths: str) -> Decimal | None:
        """The first number found at one of the paths."""
        return next((found for path in paths if (found := number(self.at(path))) is not None), None)

    @cached_property
    def leaves(self) -> list[tuple[str, Any]]:
        """Every value that holds no others, with its dotted path."""
        return list(_leaves(self.data))

    @cached_property
    def event_type(self) -> str:
        """OPEN_SIGNAL or CLOSE_SIGNAL."""
        return str(self.at("event_type"))

    @cached_property
    def long(self) -> bool:
        """Whether the position in question is a long one."""
        return str(self.at("signal_direction")).endswith("long")

    @cached_property
    def price(self) -> Decimal | None:
        """The market's mid price, or the signal's entry price when the market's is missing."""
        return self.number("market.mid", "entry_price")

    @cached_property
    def liquidation_price(self) -> Decimal | None:
        """Where the position would be liquidated, when stated."""
        return self.number("liquidation_price")

    @cached_property
    def room(self) -> Decimal | None:
        """Distance from the price to liquidation, as a price: negative beyond it, None when unknown."""
        if self.price is None or self.liquidation_price is None:
            return None
        return self.price - self.liquidation_price if self.long else self.liquidation_price - self.price

    @property
    def room_pct(self) -> Decimal | None:
        """The same in percent of the price."""
        return self.room / self.price * _PERCENT if self.room is not None and self.price else None

    @property
    def max_size_pct(self) -> Decimal | None:
        """The policy's largest position, in percent."""
        return self.number("constraints.max_position_size_pct")

    @cached_property
    def timeframes(self) -> list[Timeframe]:
        """The timeframes that could be had, shortest first."""
        stated = self.at("timeframes")
        present = {name: values for name, values in (stated or {}).items() if isinstance(values, Mapping)}
        return [Timeframe(name, present[name]) for name in sorted(present, key=_minutes)]

    @property
    def atr(self) -> Decimal | None:
        """The average true range of one hour, or of the shortest other timeframe that has one."""
        by_name = {frame.interval: frame.atr for frame in self.timeframes}
        return by_name.get("1h") or next((atr for atr in by_name.values() if atr), None)

    @cached_property
    def flags(self) -> list[str]:
        """Every quality flag raised."""
        lists = self.at("quality_flags")
        return [str(flag) for flags in lists.values() for flag in flags] if isinstance(lists, Mapping) else []


def read(payload: str) -> Facts:
    """The facts of a canonical JSON payload. Raises ValueError when it is not a JSON object."""
    data = json.loads(payload)
    if not isinstance(data, dict):
        raise ValueError("a payload is a JSON object")  # noqa: TRY004  the text is at fault, not the caller's type
    return Facts(data)


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for name, member in node.items():
            yield from _leaves(member, f"{path}.{name}" if path else str(name))
    elif isinstance(node, list):
        for place, member in enumerate(node):
            yield from _leaves(member, f"{path}.{place}")
    else:
        yield path, node


def _minutes(interval: str) -> int:
    unit = {"m": 1, "h": 60, "d": 1_440}.get(interval[-1:], 0)
    return unit * int(interval[:-1]) if interval[:-1].isdigit() else 0
