"""What travels, and what makes it trustworthy: positions, the chain of `prev_seq`, gaps. Pure."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

REMEMBERED = 10_000


class Frame(TypedDict):
    """A decision of one model (`type` decision) or the verdict on a signal (`model` None). Times are RFC 3339 UTC."""

    type: Literal["decision", "verdict"]
    epoch: str
    seq: int
    prev_seq: int
    snapshot: bool
    stale: bool
    event_id: str
    evaluation: int
    symbol: str
    event_type: Literal["OPEN_SIGNAL", "CLOSE_SIGNAL"]
    source: str
    market: str
    model: str | None
    decision: Literal["FOLLOW_ENTER", "IGNORE", "FOLLOW_EXIT", "HOLD", "TIGHTEN_STOP"]
    confidence: float | None
    fallback: bool
    published_at: str
    valid_until: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Position:
    """A place in one log."""

    epoch: str
    seq: int


@dataclass(frozen=True)
class Filter:
    """What to hear; empty is everything. Naming models leaves verdicts out unless `kind` names them."""

    symbol: Sequence[str] = ()
    model: Sequence[str] = ()
    event_type: Sequence[str] = ()
    kind: Sequence[str] = ()

    def message(self) -> dict[str, list[str]]:
        """The filter as the socket takes it."""
        named = {"symbol": self.symbol, "model": self.model, "event_type": self.event_type, "kind": self.kind}
        return {name: list(values) for name, values in named.items() if values}


@dataclass(frozen=True)
class Gap:
    """Frames after `after` may have been missed for good; the stream goes on behind `resumes_after`, with what is still kept."""

    reason: str
    after: Position | None
    resumes_after: Position


class Chain:
    """Proves that nothing lies between two frames: each names the one sent before it."""

    def __init__(self, position: Position) -> None:
        self.position = position
        self._newest: dict[str, int] = {}

    def knows(self, frame: Frame) -> bool:
        """Whether the frame's number is one of this log: written there, or seen there under its old epoch."""
        return frame["epoch"] == self.position.epoch or frame["seq"] <= self._newest.get(frame["epoch"], -1)

    def is_repeat(self, frame: Frame) -> bool:
        """Whether the frame lies at or before the position, in the same log."""
        return frame["seq"] <= self.position.seq

    def follows(self, frame: Frame) -> bool:
        """Whether nothing lies between."""
        return frame["prev_seq"] == self.position.seq

    def move(self, frame: Frame) -> None:
        """The frame is the newest one seen. The epoch stays the subscription's: frames of a restored log keep their old one."""
        self._newest[frame["epoch"]] = frame["seq"]
        self.position = Position(self.position.epoch, frame["seq"])


class Acted:
    """The newest acknowledged frames by what they say, for a log that began anew may send them under other numbers."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._seen: OrderedDict[tuple[str, int, str, str | None], None] = OrderedDict()
        self._most = most

    def add(self, frame: Frame) -> None:
        """Remember it, and forget the oldest."""
        self._seen[identity(frame)] = None
        while len(self._seen) > self._most:
            self._seen.popitem(last=False)

    def __contains__(self, frame: Frame) -> bool:
        return identity(frame) in self._seen


def identity(frame: Frame) -> tuple[str, int, str, str | None]:
    """What a frame is about, whatever its number: there is one per signal, round, kind and model."""
    return frame["event_id"], frame["evaluation"], frame["type"], frame["model"]
