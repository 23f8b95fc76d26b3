"""The promises as a model, and what happened held against it: accepted signals, decisions, frames, the vendor's own bill."""

import itertools
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.faults.traffic import Sent
from tests.stack import TERMINAL, Lens

HEALED_WITHIN_S = 60.0


@dataclass(frozen=True)
class Account:
    """One run's figures. `stuck`, `doubled`, `lost`, `gaps` and `overpaid` must be 0."""

    accepted: int
    published: int
    rejected: int
    dlq: int
    stuck: int
    lost: int
    doubled: int
    gaps: int
    paid: int
    overpaid: int
    unacknowledged: int
    repeats: int
    healed_s: float
    p99_s: float

    @property
    def whole(self) -> bool:
        """Every promise kept."""
        return not (self.stuck or self.lost or self.doubled or self.gaps or self.overpaid or self.unacknowledged)


def settle(lens: Lens, sent: Sent, *, calls_per_model: int, rejections: frozenset[str] = frozenset(), after: int = 0) -> Account:
    """Wait until everything accepted has come to its end, then count.

    `calls_per_model`: how many paid answers a model may have given for one signal, one per kill in the middle of a call.
    `after`: where the stream stood before the first of them was sent.
    """
    began = time.monotonic()
    events, frames = _ends(lens, sent.event_ids, began + HEALED_WITHIN_S, after)
    healed = time.monotonic() - began
    ends = Counter(event["status"] for event in events.values())
    wrong = [each for each in events.values() if each["status"] == "rejected" and each["rejection"]["code"] not in rejections]
    mine = set(events)
    bill = [call for event_id in events for call in lens.calls(event_id=event_id)]
    seqs = [frame["seq"] for frame in frames]
    return Account(
        accepted=len(events),
        published=ends["published"],
        rejected=ends["rejected"],
        dlq=ends["dlq"],
        stuck=sum(count for status, count in ends.items() if status not in TERMINAL) + len(wrong),
        lost=_missing(frames, events) + sum(1 for event in events.values() if _decided_wrongly(event)),
        doubled=sum(count - 1 for count in _told(frames, mine).values()),
        gaps=sum(1 for before, after in itertools.pairwise(seqs) if after != before + 1),
        paid=sum(call["answered_first"] for call in bill),
        overpaid=sum(1 for call in bill if call["answered_first"] > calls_per_model),
        unacknowledged=len(sent.unacknowledged),
        repeats=sent.repeats,
        healed_s=round(healed, 1),
        p99_s=_p99(events.values()),
    )


def _ends(lens: Lens, event_ids: list[str], deadline: float, after: int) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Each event whole, and the stream, when all are terminal and told; an early end is told a moment after it came."""
    _await_ready(lens, deadline)
    found: dict[str, dict[str, Any]] = {}
    while True:
        for event_id in event_ids:
            if found.get(event_id, {}).get("status") not in TERMINAL:
                found[event_id] = lens.event(event_id)
        late = time.monotonic() > deadline
        if late or all(event["status"] in TERMINAL for event in found.values()):
            frames = lens.frames(after)
            if late or not _missing(frames, found):
                return found, frames
        time.sleep(0.3)


def _await_ready(lens: Lens, deadline: float) -> None:
    """What was struck last is on its way back; nothing is asked of it before."""
    while not lens.ready() and time.monotonic() < deadline:
        time.sleep(0.3)


def _decided_wrongly(event: dict[str, Any]) -> bool:
    """A published signal has exactly one decision of each of its judges."""
    models = [item["model"] for item in event["decisions"]]
    return event["status"] == "published" and (len(models) != len(set(models)) or not models)


def _told(frames: list[dict[str, Any]], mine: set[str]) -> Counter[tuple[str, int, str, str | None]]:
    return Counter(
        (each["event_id"], each["evaluation"], each["type"], each["model"]) for each in frames if each["event_id"] in mine
    )


def _missing(frames: list[dict[str, Any]], events: dict[str, dict[str, Any]]) -> int:
    """Frames that ought to be there: a verdict for every signal that ended, one frame for each decision of a published one."""
    told = {(each["event_id"], each["type"], each["model"]) for each in frames}
    wanted = {(event_id, "verdict", None) for event_id, event in events.items() if event["status"] in TERMINAL}
    for event_id, event in events.items():
        if event["status"] == "published":
            wanted |= {(event_id, "decision", item["model"]) for item in event["decisions"]}
    return len(wanted - told)


def _p99(events: Any) -> float:
    waits = sorted(event["duration_ms"] / 1000 for event in events if event["status"] == "published")
    return round(waits[min(len(waits) - 1, int(0.99 * len(waits)))], 2) if waits else 0.0
