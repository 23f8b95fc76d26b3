"""A signal's timeline drawn: one bar for each stretch between two entries, so that waiting shows as length."""

from dataclasses import dataclass
from itertools import pairwise

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from audit.models import TimelineEntry

_BAD = {"dlq", "failed", "rejected"}


@dataclass(frozen=True)
class Bar:
    """From the entry before to this one; percentages of the whole."""

    status: str
    left: float
    width: float
    took_ms: int
    failed: bool


def bars(entries: list[TimelineEntry]) -> list[Bar]:
    """One for each entry but the first, oldest first; the first is where time begins."""
    if not entries:
        return []
    begin = entries[0].timestamp
    whole = max((entries[-1].timestamp - begin).total_seconds(), 0.001)
    found = [Bar(entries[0].status, 0, 0, 0, entries[0].status in _BAD)]
    for before, entry in pairwise(entries):
        took = (entry.timestamp - before.timestamp).total_seconds()
        left = (before.timestamp - begin).total_seconds()
        found.append(Bar(entry.status, 100 * left / whole, 100 * took / whole, round(1000 * took), entry.status in _BAD))
    return found


def drawn(entries: list[TimelineEntry]) -> SafeString:
    """The drawing; every word in it is escaped."""
    row = (
        '<span>{}</span><span class="track"><span class="bar{}" style="left:{}%;width:{}%"></span></span>'
        '<span class="figure">+{} ms</span>'
    )
    cells = (
        (bar.status, " failed" if bar.failed else "", f"{bar.left:.2f}", f"{bar.width:.2f}", bar.took_ms) for bar in bars(entries)
    )
    return format_html('<div class="waterfall">{}</div>', format_html_join("", row, cells))
