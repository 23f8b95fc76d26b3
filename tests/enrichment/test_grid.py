"""Where bars stand: fixed lengths on whatever grid the venue has, and calendar months."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from core.clock import from_ms, to_ms
from core.errors import Transient
from enrichment.grid import STEP, Interval, closes, closings, slots, window
from enrichment.indicators import read
from enrichment.snapshot import is_stale
from tests.enrichment.markets import TREND, parsed

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def months(first: datetime, count: int) -> list[int]:
    return [to_ms(first.replace(year=first.year + number // 12, month=number % 12 + 1)) for number in range(count)]


@pytest.mark.parametrize(
    ("interval", "opened", "closed"),
    [
        ("1m", "2026-01-31T23:59:00Z", "2026-02-01T00:00:00Z"),
        ("1w", "2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"),
        ("1M", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
        ("1M", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
        ("1M", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    ],
)
def test_a_bar_closes_where_the_next_one_opens(interval: Interval, opened: str, closed: str) -> None:
    at = datetime.fromisoformat(opened)
    assert closes(interval, at) == datetime.fromisoformat(closed)
    assert closings(interval, [to_ms(at)]) == [to_ms(datetime.fromisoformat(closed))]


def test_places_are_counted_from_the_first_bar_and_holes_show() -> None:
    year = months(datetime(2025, 1, 1, tzinfo=UTC), 24)
    assert slots("1M", year) == list(range(24))
    assert slots("1M", [*year[:3], *year[5:]]) == [0, 1, 2, *range(5, 24)]
    hour = 3_600_000
    assert slots("1h", [hour, 2 * hour, 5 * hour]) == [0, 1, 4]
    assert slots("1h", []) == []


@pytest.mark.parametrize("starts", [[0, 0], [3_600_000, 0], [0, 3_600_001]])
def test_what_does_not_rise_in_whole_steps_stands_on_no_grid(starts: list[int]) -> None:
    assert slots("1h", starts) is None


def test_a_month_begins_on_its_first_midnight() -> None:
    assert slots("1M", [to_ms(MONDAY)]) is None


@pytest.mark.parametrize("interval", [name for name in STEP if name != "1M"])
def test_the_window_holds_the_last_closed_bars(interval: Interval) -> None:
    until, step = MONDAY + timedelta(hours=13, minutes=7), STEP[interval]
    first, last = window(interval, until, 3)
    assert until - step < from_ms(last + 1) <= until
    assert last + 1 - first == to_ms(from_ms(0) + 3 * step)


def test_the_window_of_months_ends_with_the_last_whole_one() -> None:
    first, last = window("1M", MONDAY, 3)
    assert from_ms(last + 1) == datetime(2026, 1, 1, tzinfo=UTC)
    assert datetime(2025, 9, 1, tzinfo=UTC) < from_ms(first) <= datetime(2025, 10, 1, tzinfo=UTC)


def test_weeks_may_begin_on_any_day() -> None:
    assert not is_stale("1w", MONDAY, MONDAY + timedelta(days=6, hours=23))
    assert is_stale("1w", MONDAY, MONDAY + timedelta(days=7, hours=2))


def test_a_month_is_late_only_when_the_next_one_is_over() -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    assert not is_stale("1M", first, first + timedelta(days=30, hours=23))
    assert is_stale("1M", first, first + timedelta(days=31, hours=8))


def test_monthly_bars_are_read_as_the_venue_sends_them_and_the_forming_one_is_left_out() -> None:
    starts = months(datetime(2023, 1, 1, tzinfo=UTC), 37)
    numbers = {"o": "10", "h": "12", "l": "9", "c": "11", "v": "5"}
    rows: list[dict[str, Any]] = [{"t": start, "T": end - 1, "s": "BTC", "i": "1M", **numbers} for start, end in pairwise(starts)]
    until = from_ms(rows[-1]["T"])
    market = parsed(json.dumps(rows).encode(), "1M", until)
    assert (len(market), market.last_close) == (35, from_ms(starts[35]))
    reading = read(market, TREND)
    assert (reading.n_bars, reading.missing, reading.last_close) == (35, 0, from_ms(starts[35]))
    holed = read(parsed(json.dumps(rows[:10] + rows[11:]).encode(), "1M", until), TREND)
    assert (holed.n_bars, holed.missing) == (35, 1)
    with pytest.raises(Transient, match="bad_reply"):
        parsed(json.dumps([{**rows[0], "T": rows[0]["t"] + 30 * 86_400_000 - 1}]).encode(), "1M", until)
