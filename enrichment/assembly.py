"""The payload: all a model is told about a signal and its market, as canonical JSON of at most 4 KB. Pure.

Only numbers and words from fixed lists go in; nothing a source wrote freely does. See `sections.py` for the parts.

Should it be too long, the least telling part goes first: levels beyond the third, what repeats another value, the times of the
components (which the record keeps anyway), single indicators, levels beyond the strongest, then levels, book and derivatives, at
last whole timeframes, the shortest first. What went is named under `dropped`. Signal, price, constraints and quality always stay.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from core.canonical import canonical
from core.errors import Permanent
from enrichment import sections
from enrichment.microstructure import Depth
from enrichment.policy import Constraints
from enrichment.quality import Quality
from enrichment.snapshot import Snapshot
from signals.models import Signal

LIMIT_BYTES = 4_096
REPEATING = ("macd_signal", "atr_bps", "close_age_s", "macd_hist_prev", "n_bars")
SINGLE = ("obv_share", "bb_width", "stoch_d", "williams_r", "cci", "mfi", "plus_di", "minus_di", "volatility_pctl", "volume_ratio")
PARTS = ("levels", "order_book", "derivatives")

Payload = dict[str, Any]


class Judged(NamedTuple):
    """What was made of a snapshot: the way to liquidation (negative beyond it), the book, and how far all of it can be trusted."""

    room: Decimal | None
    depth: Depth | None
    quality: Quality


def assemble(signal: Signal, seen: Snapshot, judged: Judged, constraints: Constraints, age_s: float) -> str:
    """The payload's text. Raises Permanent `payload_too_large` when even the bare minimum is too long."""
    payload: Payload = {
        **sections.about(signal, seen.coin, age_s),
        "market": sections.market(seen, judged.room),
        "alignment": sections.number(sections.alignment(seen)),
        "timeframes": {interval: sections.timeframe(interval, seen) for interval in seen.readings},
        "constraints": constraints.model_dump(mode="json"),
        "quality_flags": judged.quality.flags,
        "quality_score": judged.quality.score,
        "data_timestamps": sections.timestamps(seen),
    }
    if seen.profile.indicators.levels:
        payload["levels"] = sections.levels(seen)
    if seen.profile.derivatives:
        payload["derivatives"] = sections.derivatives(seen)
    if judged.depth is not None:
        payload["order_book"] = sections.order_book(judged.depth)
    return _fitting(payload)


def liquidation_room(signal: Signal, mid: Decimal) -> Decimal | None:
    """How far the price may still go before liquidation; negative when it is already beyond. None without a liquidation price."""
    if signal.liquidation_price is None:
        return None
    room = mid - signal.liquidation_price
    return room if signal.long else -room


def _fitting(payload: Payload) -> str:
    text = canonical(payload)
    dropped: list[str] = []
    cuts = _cuts(payload)
    while len(text.encode()) > LIMIT_BYTES:
        cut = next(cuts, None)
        if cut is None:
            raise Permanent("payload_too_large", f"The payload does not fit into {LIMIT_BYTES} bytes.", bytes=len(text.encode()))
        name = cut()
        dropped += [name] if name else []
        text = canonical({**payload, "dropped": dropped})
    return text


def _cuts(payload: Payload) -> Iterator[Callable[[], str]]:
    """Ways to make the payload shorter, the least loss first; each answers with the name of what it took away, if it did."""
    yield lambda: _fewer_levels(payload, 3)
    for name in REPEATING:
        yield lambda name=name: _without_field(payload, name)  # type: ignore[misc]
    yield lambda: _without(payload, "data_timestamps")
    for name in SINGLE:
        yield lambda name=name: _without_field(payload, name)  # type: ignore[misc]
    yield lambda: _fewer_levels(payload, 1)
    for name in PARTS:
        yield lambda name=name: _without(payload, name)  # type: ignore[misc]
    for interval in list(payload["timeframes"]):
        yield lambda interval=interval: _without_timeframe(payload, interval)  # type: ignore[misc]


def _without(payload: Payload, name: str) -> str:
    return name if payload.pop(name, None) is not None else ""


def _without_field(payload: Payload, beginning: str) -> str:
    """Takes a value from every timeframe; periods belong to the name (`cci_20`)."""
    found = False
    for values in payload["timeframes"].values():
        for name in [name for name in values or () if name == beginning or name.removeprefix(f"{beginning}_").isdigit()]:
            del values[name]
            found = True
    return beginning if found else ""


def _fewer_levels(payload: Payload, kept: int) -> str:
    sides = [payload["levels"][side] for side in ("support", "resistance")] if payload.get("levels") else []
    if all(len(side) <= kept for side in sides):
        return ""
    for side in sides:
        del side[kept:]
    return f"levels beyond {kept}"


def _without_timeframe(payload: Payload, interval: str) -> str:
    payload["timeframes"][interval] = None
    return f"timeframes.{interval}"
