"""Where the time of a signal went: each stage after the other, each model from its own call."""

from datetime import timedelta
from typing import Any

from console.pages.waterfall import lanes
from core.clock import iso, parse_zoned

BEGAN = parse_zoned("2026-01-05T09:00:00Z")


def entry(what: str, after_ms: int, **details: Any) -> dict[str, Any]:
    return {"status": what, "timestamp": iso(BEGAN + timedelta(milliseconds=after_ms)), "details": details}


def decided(model: str, latency_ms: int | None) -> dict[str, Any]:
    return {"model": model, "model_meta": {"latency_ms": latency_ms}}


def test_stages_and_models_lie_side_by_side() -> None:
    timeline = [
        entry("received", 0),
        entry("enriched", 200),
        entry("decision", 400, model="quick", status="ok"),
        entry("decision", 900, model="slow", status="timeout"),
        entry("evaluated", 950),
        entry("published", 1000),
    ]
    found = {lane.name: lane for lane in lanes(timeline, [decided("quick", 100), decided("slow", None)], None)}
    assert [(lane.name, lane.took_ms, lane.tone) for lane in found.values()] == [
        ("enrich", 200, "good"),
        ("quick", 100, "good"),
        ("slow", 700, "bad"),
        ("verdict", 50, "good"),
        ("publish", 50, "good"),
    ]
    assert (found["enrich"].start_pct, found["enrich"].width_pct) == (0, 20)
    assert (found["quick"].start_pct, found["quick"].width_pct) == (30, 10)
    assert (found["slow"].start_pct, found["slow"].width_pct) == (20, 70)


def test_a_signal_on_its_way_has_an_open_end() -> None:
    found = lanes([entry("received", 0)], [], BEGAN + timedelta(seconds=4))
    assert [(lane.name, lane.took_ms, lane.tone) for lane in found] == [("…", 4000, "wait")]


def test_the_shortest_bar_can_still_be_seen_and_none_leaves_the_picture() -> None:
    timeline = [entry("received", 0), entry("enriched", 99_999), entry("rejected", 100_000)]
    last = lanes(timeline, [], None)[-1]
    assert last.width_pct >= 0.6
    assert last.start_pct + last.width_pct <= 100


def test_nothing_has_no_bars() -> None:
    assert lanes([], [], None) == []
