"""The feed's frame around the socket: where it starts, what it asks for, and what it makes of a filter that is none."""

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from publishing.selectors import LOOK_BACK, start_of_newest
from publishing.subscriptions import Filter
from signals.models import Signal

pytestmark = pytest.mark.django_db
Publish = Callable[..., Signal]


def plan(client: Client, query: str = "") -> dict[str, Any]:
    page = client.get(f"/feed{query}", headers={"Host": "localhost:8000"}).content.decode()
    found = re.search(r'data-stream="([^"]*)"', page)
    assert found is not None
    return dict(json.loads(html.unescape(found[1])))


def test_the_socket_is_asked_for_the_newest_frames_and_what_follows(viewer: Client, judged: Publish) -> None:
    judged()
    judged()
    asked = plan(viewer)
    assert asked["sockets"] == ["ws://localhost:8001/ws/decisions"]
    assert asked["since"]["seq"] == 0
    assert asked["since"]["epoch"]


def test_a_filter_in_the_address_is_the_subscriptions_filter(viewer: Client, judged: Publish) -> None:
    judged(symbol="ETH")
    judged(symbol="BTC")
    asked = plan(viewer, "?symbol=btc-perp&kind=decision&model=")
    assert asked["filter"] == {"symbol": "btc-perp", "kind": "decision"}
    assert asked["since"]["seq"] == 1


def test_a_filter_that_is_none_is_said_and_everything_shown(viewer: Client) -> None:
    page = viewer.get("/feed?kind=nonsense").content.decode()
    assert "The filter cannot be understood" in page
    assert plan(viewer, "?kind=nonsense")["filter"] == {}


def test_without_a_match_the_feed_starts_at_the_head(judged: Publish) -> None:
    judged(symbol="BTC")
    log, start = start_of_newest(Filter(symbols=frozenset({"DOGE"})), 100)
    assert start == log.head == 1


def test_of_many_matches_only_the_newest_are_told(judged: Publish) -> None:
    for _ in range(3):
        judged()
    assert start_of_newest(Filter(), 2)[1] == 1
    assert LOOK_BACK > 2
