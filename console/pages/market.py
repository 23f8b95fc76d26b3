"""The frozen market as tables, every value under the name the payload gives it: what a model cites is found by it. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.money import plain
from evaluation.facts import number

# What a timeframe comes to stands above what it is made of.
FIRST = ("regime", "trend_strength", "adx_pctl", "volatility_pctl", "close")
LEVEL = {"price": "price", "atr": "ATR away", "strength": "strength", "touches": "touches"}
NOTHING = "–"


@dataclass(frozen=True)
class Table:
    """Rows of a name and its values, a value for each column; a table of one value a name has no named column."""

    title: str
    rows: list[tuple[str, list[str]]]
    columns: tuple[str, ...] = ()


def tables(payload: str) -> list[Table]:
    """What the payload holds of these, in this order: timeframes, levels, order book, derivatives, price, limits."""
    stated = json.loads(payload, parse_float=_written, parse_int=_written)
    found = (
        _timeframes(_part(stated, "timeframes")),
        _levels(_part(stated, "levels")),
        Table("Order book", list(_flat(_part(stated, "order_book")))),
        Table("Derivatives", list(_flat(_part(stated, "derivatives")))),
        Table("Price", list(_flat(_part(stated, "market")))),
        Table("Limits told", list(_flat(_part(stated, "constraints")))),
    )
    return [table for table in found if table.rows]


def dropped(payload: str) -> list[str]:
    """What was left out so that the payload fits."""
    left_out = json.loads(payload).get("dropped")
    return [str(name) for name in left_out] if isinstance(left_out, list) else []


def _timeframes(stated: Mapping[str, Any]) -> Table:
    frames = {name: values if isinstance(values, Mapping) else {} for name, values in sorted(stated.items(), key=_length)}
    names = dict.fromkeys(name for values in frames.values() for name in values)
    ordered = [*(name for name in FIRST if name in names), *(name for name in names if name not in FIRST)]
    return Table(
        "Timeframes", [(name, [_shown(values.get(name)) for values in frames.values()]) for name in ordered], tuple(frames)
    )


def _length(frame: tuple[str, Any]) -> tuple[int, str]:
    """Minutes before hours before days, and within these the shorter one first."""
    name = frame[0]
    return "mhdw".find(name[-1:]), name.rjust(8)


def _levels(stated: Mapping[str, Any]) -> Table:
    """A ladder: the highest resistance on top, the lowest support at the bottom. A broken level was on the other side before."""
    found = [
        (f"{side}, was {other}" if level.get("broken") else side, level)
        for side, other in (("resistance", "support"), ("support", "resistance"))
        for level in levels_of(stated, side)
    ]
    ladder = sorted(found, key=lambda row: number(row[1]["price"]) or 0, reverse=True)
    rows = [(name, [_shown(level.get(key)) for key in LEVEL]) for name, level in ladder]
    return Table(f"Levels, {_shown(stated.get('timeframe'))}", rows, tuple(LEVEL.values()))


def levels_of(stated: Mapping[str, Any], side: str) -> list[Mapping[str, Any]]:
    """The levels of one side that have a price."""
    held = stated.get(side)
    levels = held if isinstance(held, list) else []
    return [level for level in levels if isinstance(level, Mapping) and number(level.get("price")) is not None]


def _flat(node: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, list[str]]]:
    for name, value in node.items():
        path = f"{above}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}.")
        else:
            yield path, [_shown(value)]


def _part(stated: Any, name: str) -> Mapping[str, Any]:
    part = stated.get(name) if isinstance(stated, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def _shown(value: Any) -> str:
    if value is None:
        return NOTHING
    return value if isinstance(value, str) else json.dumps(value)


def _written(text: str) -> str:
    """A number as people write it: `1.25e-05` is 0.0000125."""
    return plain(Decimal(text))
