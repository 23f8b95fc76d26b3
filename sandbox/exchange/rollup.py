"""Recorded candles moved in time and added up to longer intervals."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

from sandbox.exchange.candles import MINUTES
from sandbox.exchange.prices import MINUTE_MS

Row = dict[str, Any]


def moved(rows: Sequence[Row], interval: str, now_ms: int) -> list[Row]:
    """The same candles, the last one now forming (a snapshot's last candle is), so the last complete one closes just before now."""
    if not rows:
        return []
    step_ms = MINUTES[interval] * MINUTE_MS
    delta = now_ms // step_ms * step_ms - int(rows[-1]["t"])
    return [{**row, "t": row["t"] + delta, "T": row["T"] + delta} for row in rows]


def overlapping(rows: Sequence[Row], start_ms: int, end_ms: int) -> list[Row]:
    """The candles that share an instant with the span, both ends included."""
    return [row for row in rows if row["T"] >= start_ms and row["t"] <= end_ms]


def rolled_up(rows: Sequence[Row], interval: str) -> list[Row]:
    """One-minute candles added up. A first candle whose beginning was not recorded is left out: its open is not known."""
    step_ms = MINUTES[interval] * MINUTE_MS
    groups = [(start, list(group)) for start, group in groupby(rows, key=lambda row: row["t"] // step_ms * step_ms)]
    return [_sum(start, interval, group) for start, group in groups if start == group[0]["t"] or start != groups[0][0]]


def _sum(start: int, interval: str, group: Sequence[Row]) -> Row:
    volume = f"{sum((Decimal(row['v']) for row in group), Decimal(0)).normalize():f}"
    return {
        "t": start,
        "T": start + MINUTES[interval] * MINUTE_MS - 1,
        "s": group[0]["s"],
        "i": interval,
        "o": group[0]["o"],
        "c": group[-1]["c"],
        "h": max((row["h"] for row in group), key=Decimal),
        "l": min((row["l"] for row in group), key=Decimal),
        "v": volume if "." in volume else f"{volume}.0",
        "n": sum(row["n"] for row in group),
    }
