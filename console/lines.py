"""A frame as one line for a terminal."""

from typing import Any


def line(frame: dict[str, Any]) -> str:
    """Time, place, who says what about which signal, and what weakens it. What is not printable is shown as �."""
    confidence = "–" if frame["confidence"] is None else f"{frame['confidence']:.2f}"
    who = frame["model"] or "verdict"
    about = f"{frame['symbol']} {frame['event_type'].removesuffix('_SIGNAL').lower()}"
    marks = [mark for mark in ("stale", "fallback") if frame[mark]]
    reasons = ", ".join([*marks, *(frame["data"].get("reasons") or []), *filter(None, [frame["data"].get("reason")])])
    seen = f"{frame['published_at']}  {frame['seq']:>6}  {about:<12} {who:<14} {frame['decision']:<13} {confidence:<5} {reasons}"
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in seen).rstrip()
