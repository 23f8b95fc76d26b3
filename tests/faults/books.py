"""The books after a fault: what was accepted, decided, published and paid must agree, whatever happened."""

from collections import Counter
from typing import Any

from tests.stack import Lens

MODELS = {"baseline", "chatgpt"}


def balance(lens: Lens, event_ids: list[str], *, extra_calls: int = 0, within: float = 60) -> dict[str, dict[str, Any]]:
    """Every accepted signal is published once, with one decision and one frame per model, and no more calls than were allowed."""
    events = lens.settled(event_ids, within)
    assert Counter(event["status"] for event in events.values()) == {"published": len(event_ids)}
    for event in events.values():
        assert sorted(item["model"] for item in event["decisions"]) == sorted(MODELS)
        assert [entry["status"] for entry in event["timeline"]].count("published") == 1
    _check_frames(lens.frames(), set(event_ids))
    _check_bill(lens.calls(), set(event_ids), extra_calls)
    return events


def _check_frames(frames: list[dict[str, Any]], event_ids: set[str]) -> None:
    assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))
    told = Counter((frame["event_id"], frame["type"], frame["model"]) for frame in frames if frame["event_id"] in event_ids)
    wanted: set[tuple[str, str, str | None]] = {(event_id, "decision", model) for event_id in event_ids for model in MODELS}
    wanted |= {(event_id, "verdict", None) for event_id in event_ids}
    assert told == Counter(wanted)


def _check_bill(calls: list[dict[str, Any]], event_ids: set[str], extra: int) -> None:
    paid = Counter({call["event_id"]: call["answered"] for call in calls if call["event_id"] in event_ids})
    assert max(paid.values()) <= 1 + extra
    assert sum(paid.values()) <= len(event_ids) + extra
