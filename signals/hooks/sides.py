"""What a strategy's words ask for: an entry or an exit, long or short. Pure.

`buy` and `sell` alone do not say whether they open or close; the position after (and before) the order does. Without a position the
hook's own reading decides, and where it has none the message is refused: a guess would turn an exit into a new short.
"""

from dataclasses import dataclass
from enum import StrEnum


class Reading(StrEnum):
    """How `buy` and `sell` are read when the message names no position."""

    POSITION = "position"
    BOTH = "both"
    LONG_ONLY = "long_only"
    SHORT_ONLY = "short_only"


READINGS = [
    (Reading.POSITION.value, "not at all: the message must name a position"),
    (Reading.BOTH.value, "buy opens a long, sell opens a short"),
    (Reading.LONG_ONLY.value, "buy opens a long, sell closes it"),
    (Reading.SHORT_ONLY.value, "sell opens a short, buy closes it"),
]


@dataclass(frozen=True)
class Move:
    """Direction on the wire, and whether the order also closed a position of the other side."""

    direction: str
    reverses: bool = False

    @property
    def event_type(self) -> str:
        """The event that goes with the direction."""
        return "CLOSE_SIGNAL" if self.direction.startswith("close_") else "OPEN_SIGNAL"


class UnclearError(ValueError):
    """The words do not say what is meant; the message says what is missing."""


_PLAIN_WORDS = {
    "long": "long",
    "enter_long": "long",
    "open_long": "long",
    "short": "short",
    "enter_short": "short",
    "open_short": "short",
    "close_long": "close_long",
    "exit_long": "close_long",
    "close_short": "close_short",
    "exit_short": "close_short",
}
_SIDE = {"buy": "long", "sell": "short"}
_OTHER = {"long": "short", "short": "long"}
_POSITIONS = ("long", "short", "flat")
_BY_READING: dict[tuple[str, str], str] = {
    (Reading.BOTH, "buy"): "long",
    (Reading.BOTH, "sell"): "short",
    (Reading.LONG_ONLY, "buy"): "long",
    (Reading.LONG_ONLY, "sell"): "close_long",
    (Reading.SHORT_ONLY, "sell"): "short",
    (Reading.SHORT_ONLY, "buy"): "close_short",
}


def read_move(action: str, position: str, before: str, reading: str) -> Move:
    """The move behind a strategy's words; empty texts are words not sent. Raises UnclearError with a sentence."""
    action, position, before = (_word(text) for text in (action, position, before))
    _check_words(action, position, before)
    if action in _PLAIN_WORDS:
        return _said(_PLAIN_WORDS[action], position, before)
    if position:
        return _shown(action, position, before)
    if not action:
        raise UnclearError("neither an action (buy, sell, long, short, close_long, close_short) nor a position was found")
    if (reading, action) not in _BY_READING:
        raise UnclearError(
            f"“{action}” alone may open or close; send {{{{strategy.market_position}}}} too, or set how this hook reads it"
        )
    return Move(_BY_READING[reading, action])


def _said(direction: str, position: str, before: str) -> Move:
    """The action says it all; a position sent along must not contradict it."""
    side = direction.removeprefix("close_")
    fitting = (side,) if side == direction else (side, "flat")
    if position and position not in fitting:
        raise UnclearError(f"the action “{direction}” and the position “{position}” disagree")
    return Move(direction, reverses=direction == side and before == _OTHER[side])


def _shown(action: str, position: str, before: str) -> Move:
    """The position after the order decides; buy or sell tells adding from taking off."""
    side = _SIDE.get(action, "")
    if position == "flat":
        return Move(f"close_{_held(side, before)}")
    if side == _OTHER[position]:
        if before and before != position:
            raise UnclearError(f"the action “{action}” and a position going from {before} to {position} disagree")
        # An order against the position that leaves it standing takes a part of it off.
        return Move(f"close_{position}")
    return Move(position, reverses=before == _OTHER[position])


def _held(side: str, before: str) -> str:
    """The side that is now flat: what was held before, or else the one the order went against."""
    if before in _OTHER:
        return before
    if before == "flat" or not side:
        raise UnclearError("the position is flat and nothing says which side was closed; send {{strategy.prev_market_position}}")
    return _OTHER[side]


def _check_words(action: str, position: str, before: str) -> None:
    known = action in _SIDE or action in _PLAIN_WORDS or (action == "close" and position == "flat")
    if action and not known:
        raise UnclearError(f"“{action[:60]}” is no action; use buy, sell, long, short, close_long or close_short")
    for name, word in (("position", position), ("previous position", before)):
        if word and word not in _POSITIONS:
            raise UnclearError(f"the {name} “{word[:60]}” is none of long, short, flat")


def _word(text: str) -> str:
    return text.strip().lower().replace(" ", "_").replace("-", "_")
