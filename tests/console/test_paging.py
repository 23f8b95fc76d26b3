"""Paging: every row exactly once, there and back, whatever arrives meanwhile."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import signing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from signals.models import Signal
from tests.conftest import signal_fields

pytestmark = pytest.mark.django_db

DAWN = datetime(2026, 1, 5, tzinfo=UTC)


def stored(*minutes: int) -> list[str]:
    """Signals received so many minutes after dawn; their ids."""
    rows = [Signal(**signal_fields(received_at=DAWN + timedelta(minutes=minute)), caller="key:test") for minute in minutes]
    return [str(row.pk) for row in Signal.objects.bulk_create(rows)]


def page(reader: APIClient, url: str) -> dict[str, Any]:
    answer = reader.get(url)
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def walk(reader: APIClient, url: str | None, way: str) -> Iterator[dict[str, Any]]:
    while url:
        found = page(reader, url)
        yield found
        url = found[way]


def ids(pages: list[dict[str, Any]]) -> list[str]:
    return [item["event_id"] for found in pages for item in found["results"]]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 6), max_size=14), st.integers(1, 5), st.lists(st.integers(-3, 9), max_size=6))
def test_each_row_is_met_exactly_once_both_ways_while_others_arrive(
    reader: APIClient, minutes: list[int], limit: int, arriving: list[int]
) -> None:
    Signal.objects.all().delete()
    there_at_first = set(stored(*minutes))
    arrivals = iter(arriving)
    forth = []
    for found in walk(reader, f"/api/v1/events?limit={limit}", "next"):
        forth.append(found)
        stored(*[minute for minute in [next(arrivals, None)] if minute is not None])
    met = ids(forth)
    assert len(met) == len(set(met))
    assert there_at_first <= set(met)
    times = [(item["received_at"], item["event_id"]) for found in forth for item in found["results"]]
    assert times == sorted(times, reverse=True)
    back = [forth[-1]]
    for found in walk(reader, forth[-1]["previous"], "previous"):
        back.append(found)
        stored(*[minute for minute in [next(arrivals, None)] if minute is not None])
    met_again = ids(back)
    assert len(met_again) == len(set(met_again))
    assert there_at_first <= set(met_again)


def test_a_page_and_its_neighbour_point_at_each_other(reader: APIClient) -> None:
    stored(1, 2, 3, 4, 5)
    first = page(reader, "/api/v1/events?limit=2&symbol=btc-perp")
    second = page(reader, first["next"])
    assert first["previous"] is None
    assert "symbol=btc-perp" in first["next"]
    assert page(reader, second["previous"])["results"] == first["results"]
    last = page(reader, second["next"])
    assert (len(last["results"]), last["next"]) == (1, None)


def test_equal_instants_are_told_apart(reader: APIClient) -> None:
    wanted = stored(*[1] * 7)
    assert sorted(ids(list(walk(reader, "/api/v1/events?limit=2", "next")))) == sorted(wanted)


def test_an_empty_list_has_no_neighbours(reader: APIClient) -> None:
    assert page(reader, "/api/v1/events") == {"results": [], "next": None, "previous": None}


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "a:b:c",
        "é",
        "\x00",
        "A" * 501,
        signing.dumps([False, "2026-01-05T00:00:00+00:00", "x"], salt="lens.cursor.decisions"),
    ],
    ids=["empty", "word", "colons", "not-ascii", "nul", "long", "another-list"],
)
def test_a_cursor_that_is_none_of_ours_is_refused(reader: APIClient, cursor: str) -> None:
    answer = reader.get("/api/v1/events", {"cursor": cursor})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/cursor")


def test_a_changed_cursor_is_refused(reader: APIClient) -> None:
    stored(1, 2)
    url = page(reader, "/api/v1/events?limit=1")["next"]
    head, cursor = url.split("cursor=")
    for at in range(0, len(cursor), 7):
        changed = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
        assert reader.get(f"{head}cursor={changed}").status_code == 400, changed


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1.5", ""])
def test_a_limit_out_of_bounds_is_named(reader: APIClient, limit: str) -> None:
    for path in ("events", "decisions", "verdicts", "dlq", "models", "sources"):
        answer = reader.get(f"/api/v1/{path}", {"limit": limit})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/limit")


def test_fifty_by_default_and_two_hundred_at_most(reader: APIClient) -> None:
    stored(*range(210))
    assert len(page(reader, "/api/v1/events")["results"]) == 50
    assert len(page(reader, "/api/v1/events?limit=200")["results"]) == 200
