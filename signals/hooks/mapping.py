"""From a message to the body of `POST /signals`, or the reasons why not, in words for the person who wrote the alert. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any

from core.clock import from_ms, iso
from core.money import plain
from signals.hooks.rules import METADATA, Found, Rules, find
from signals.hooks.sides import Move, Reading, UnclearError, read_move

SMALLEST = Decimal("0.00000001")
LONGEST_NOTE = 100
_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{1,40})?([eE][+-]?\d{1,2})?", re.ASCII)
_EPOCH = {10: 1000, 13: 1}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True)
class Plan:
    """How one hook reads its messages. Percent of the entry price for the liquidation distance; None where nothing is assumed."""

    source: str
    rules: Rules
    reading: str = Reading.POSITION
    default_size: Decimal | None = None
    liquidation_distance_pct: Decimal | None = None
    use_arrival_time: bool = False


@dataclass
class Mapped:
    """The fields found so far, where each came from, what the hook's defaults added, and what is wrong."""

    fields: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Found] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def assume(self, name: str, value: str) -> None:
        """Note a value the message did not hold."""
        self.fields[name] = value
        self.assumed.append(name)

    def explain(self, name: str, detail: str) -> str:
        """A field's fault with the value it was found to have and the rule that found it."""
        origin = self.origins.get(name)
        return f"{name}: {detail}" + (f" (found “{origin.value[:60]}” at {origin.rule})" if origin else "")


def map_sample(sample: Mapping[str, Any], plan: Plan, arrived: datetime) -> Mapped:
    """What `sample` means under `plan`. `fields` suits SignalSerializer when `problems` is empty."""
    mapped = Mapped()
    found = {name: hit for name, rule in plan.rules.items() if (hit := find(sample, rule))}
    _refuse_unfilled(found, mapped)
    move = _move(found, plan, mapped)
    _take(found, mapped, "symbol", "feature_profile", "idempotency_key")
    for name in ("entry_price", "liquidation_price"):
        _take_number(found, mapped, name)
    _size(found, plan, mapped, reverses=move is not None and move.reverses)
    _time(found, plan, mapped, arrived)
    if move is not None:
        _liquidation(plan, mapped, move)
    _require(mapped, sample, plan)
    mapped.fields |= {"source": plan.source, "metadata": _metadata(found, mapped)}
    return mapped


def _refuse_unfilled(found: dict[str, Found], mapped: Mapped) -> None:
    """A placeholder the sender did not fill in is named once and then treated as not found; in a mere note it is let go."""
    for name in [name for name, hit in found.items() if "{{" in hit.value]:
        hit = found.pop(name)
        if name.startswith(METADATA):
            continue
        mapped.problems.append(
            f"{name}: the placeholder {hit.value[:60]} was not filled in; only known names are, and arithmetic is not done."
        )


def _move(found: dict[str, Found], plan: Plan, mapped: Mapped) -> Move | None:
    if "signal_direction" in found:
        move = Move(found["signal_direction"].value.lower())
        mapped.origins["signal_direction"] = found["signal_direction"]
    else:
        words = [found[name].value if name in found else "" for name in ("action", "position", "previous_position")]
        try:
            move = read_move(words[0], words[1], words[2], plan.reading)
        except UnclearError as error:
            mapped.problems.append(f"signal_direction: {error}.")
            return None
    mapped.fields |= {"signal_direction": move.direction, "event_type": move.event_type}
    _take(found, mapped, "event_type")
    return move


def _take(found: dict[str, Found], mapped: Mapped, *names: str) -> None:
    for name in names:
        if name in found:
            mapped.fields[name], mapped.origins[name] = found[name].value, found[name]


def _take_number(found: dict[str, Found], mapped: Mapped, name: str) -> None:
    _take(found, mapped, name)
    if name in found and (number := _number(found[name].value)) is not None:
        mapped.fields[name] = plain(number)


def _size(found: dict[str, Found], plan: Plan, mapped: Mapped, *, reverses: bool) -> None:
    """Rounded down to 8 decimals. A reversing order includes the exit, so there the new position's own size is meant."""
    name = "position_size" if reverses and "position_size" in found else "size"
    if name not in found:
        if plan.default_size is not None:
            mapped.assume("size", plain(plan.default_size))
        return
    hit = found[name]
    number = _number(hit.value)
    mapped.origins["size"] = hit
    mapped.fields["size"] = hit.value if number is None else plain(number.quantize(SMALLEST, ROUND_DOWN))


def _time(found: dict[str, Found], plan: Plan, mapped: Mapped, arrived: datetime) -> None:
    _take(found, mapped, "ts_utc")
    text = mapped.fields.get("ts_utc", "")
    if text.isascii() and text.isdigit() and len(text) in _EPOCH:
        mapped.fields["ts_utc"] = iso(from_ms(int(text) * _EPOCH[len(text)]))
    if not text and plan.use_arrival_time:
        mapped.assume("ts_utc", iso(arrived))


def _liquidation(plan: Plan, mapped: Mapped, move: Move) -> None:
    if "liquidation_price" in mapped.fields:
        return
    if move.event_type == "CLOSE_SIGNAL":
        mapped.fields["liquidation_price"] = None
        return
    if plan.liquidation_distance_pct is None:
        return
    entry = _number(str(mapped.fields.get("entry_price", "")))
    if entry is None:
        # The entry is what will be complained of, not what would have followed from it.
        mapped.fields["liquidation_price"] = None
        return
    away = plan.liquidation_distance_pct / 100 * (-1 if move.direction == "long" else 1)
    mapped.assume("liquidation_price", plain((entry * (1 + away)).quantize(SMALLEST)))


_ADVICE = {
    "size": "; add it, or give the hook a default size",
    "ts_utc": "; add {{timenow}}, or let the hook use the time of arrival",
    "liquidation_price": "; add it, or give the hook a liquidation distance",
}


def _require(mapped: Mapped, sample: Mapping[str, Any], plan: Plan) -> None:
    """Each required field that is neither found nor complained of already, with the places looked at; then the names there are."""
    complained = {problem.partition(":")[0] for problem in mapped.problems}
    settled = mapped.fields.keys() | complained | ({"liquidation_price"} if "signal_direction" in complained else set())
    missing = [name for name in ("symbol", "entry_price", "size", "ts_utc", "liquidation_price") if name not in settled]
    for name in missing:
        mapped.problems.append(f"{name}: nothing found at {', '.join(plan.rules.get(name, []))}{_ADVICE.get(name, '')}.")
    if missing:
        mapped.problems.append(f"The message has: {', '.join(sorted(map(str, sample)))[:200] or 'nothing'}.")


def _metadata(found: dict[str, Found], mapped: Mapped) -> dict[str, Any]:
    notes: dict[str, Any] = {
        name.removeprefix(METADATA): _CONTROL.sub(" ", hit.value)[:LONGEST_NOTE]
        for name, hit in found.items()
        if name.startswith(METADATA)
    }
    return notes | ({"assumed": ",".join(mapped.assumed)} if mapped.assumed else {})


def _number(text: str) -> Decimal | None:
    """A finite decimal from plain or exponent notation, small enough to compute with; None for anything else."""
    if not _NUMBER.fullmatch(text):
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number == 0 or abs(number.adjusted()) <= 15 else None
