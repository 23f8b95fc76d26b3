"""Which frames a subscription sees, where it starts, and how its chain of `prev_seq` runs. Pure."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self
from urllib.parse import urlencode

from publishing.frames import Kind, Published
from publishing.operations import Since, Wanted

Lost = Literal["epoch_changed", "before_retention"]
EPOCH_CHANGED: Lost = "epoch_changed"
BEFORE_RETENTION: Lost = "before_retention"
EVERY_KIND = frozenset(Kind)


@dataclass(frozen=True)
class Filter:
    """What a caller asked for, within what it may see. None is everything."""

    kinds: frozenset[Kind] = EVERY_KIND
    symbols: frozenset[str] | None = None
    models: frozenset[str] | None = None
    event_types: frozenset[str] | None = None
    sources: frozenset[str] | None = None

    @classmethod
    def of(cls, wanted: Wanted, allowed_sources: frozenset[str]) -> Self:
        """Naming models asks for their decisions, so verdicts come along only if `kind` names them."""
        kinds = wanted.kind or (EVERY_KIND if wanted.model is None else frozenset({Kind.DECISION}))
        event_types = wanted.event_type and frozenset[str](wanted.event_type)
        return cls(kinds, wanted.symbol, wanted.model, event_types, allowed_sources or None)

    def matches(self, frame: Published) -> bool:
        """Whether the frame belongs to the subscription."""
        return (
            frame.kind in self.kinds
            and (self.symbols is None or frame.symbol in self.symbols)
            and (self.models is None or frame.kind == Kind.VERDICT or frame.model in self.models)
            and (self.event_types is None or frame.event_type in self.event_types)
            and (self.sources is None or frame.source in self.sources)
        )


@dataclass(frozen=True)
class Log:
    """How the log stands: its identity, its newest seq, and the newest seq that is no longer kept (0 when all are)."""

    epoch: str
    head: int
    horizon: int

    def lost(self, since: Since) -> Lost | None:
        """Why nothing can be continued from there, or None. A seq beyond the head belongs to a log that no longer exists."""
        if since.epoch not in (None, self.epoch) or since.seq > self.head:
            return EPOCH_CHANGED
        return BEFORE_RETENTION if since.seq < self.horizon else None

    def rest(self) -> str:
        """Where everything that is still kept can be read."""
        return "/api/v1/decisions/stream?" + urlencode({"epoch": self.epoch, "after_seq": self.horizon})


class Chain:
    """One subscription's place in the log.

    `cursor` is the newest seq looked at, `last` the newest one sent: the next frame's `prev_seq`. With a window, no more than that
    many frames are sent beyond the newest acknowledged one.
    """

    def __init__(self, start: int, snapshot_until: int, window: int | None = None) -> None:
        self.cursor = self.last = start
        self._snapshot_until = snapshot_until
        self._window = window
        self._unacknowledged: deque[int] = deque()

    @property
    def credit(self) -> bool:
        """Whether another frame may be sent."""
        return self._window is None or len(self._unacknowledged) < self._window

    def text(self, frame: Published, now: datetime) -> str:
        """The frame as it would be sent next."""
        return frame.render(self.last, snapshot=frame.seq <= self._snapshot_until, now=now)

    def join(self, frame: Published) -> None:
        """The frame was sent."""
        self.cursor = self.last = frame.seq
        if self._window is not None:
            self._unacknowledged.append(frame.seq)

    def send(self, frame: Published, now: datetime) -> str:
        """The frame's text in this chain, which it thereby joins."""
        text = self.text(frame, now)
        self.join(frame)
        return text

    def acknowledge(self, seq: int) -> None:
        """Everything up to `seq` is dealt with."""
        while self._unacknowledged and self._unacknowledged[0] <= seq:
            self._unacknowledged.popleft()

    def restart(self, head: int) -> None:
        """Go on from `head`: what lies between was lost, and the client was told."""
        self.cursor = self.last = head
        self._unacknowledged.clear()
