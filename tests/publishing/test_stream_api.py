"""Backfill over REST: pages that join up, positions that are lost, and what a key may see."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIRequestFactory

from access.models import Scope
from publishing.api import StreamView
from publishing.models import Frame
from signals.models import Signal
from tests.publishing.conftest import key

pytestmark = pytest.mark.django_db

Publish = Callable[..., Signal]


def ask(text: str | None = None, **query: Any) -> tuple[int, dict[str, Any]]:
    """The status and the body."""
    request = APIRequestFactory().get("/api/v1/decisions/stream", query, headers={"X-API-Key": text or key()})
    answer = StreamView.as_view()(request)
    return answer.status_code, answer.data


def test_pages_join_up_into_the_whole_stream(publish: Publish) -> None:
    for _ in range(5):
        publish()
    seqs, chain, after = [], [], 0
    while True:
        status, page = ask(after_seq=after, limit=2)
        assert (status, page["head_seq"]) == (200, 5)
        if not page["results"]:
            break
        seqs += [frame["seq"] for frame in page["results"]]
        chain += [frame["prev_seq"] for frame in page["results"]]
        after = page["next_after_seq"]
    assert (seqs, chain, after) == ([1, 2, 3, 4, 5], [0, 1, 2, 3, 4], 5)


def test_a_frame_is_the_sockets_own(publish: Publish) -> None:
    publish()
    frame = ask()[1]["results"][0]
    assert list(frame)[:6] == ["type", "epoch", "seq", "prev_seq", "snapshot", "stale"]
    assert frame["snapshot"] is True
    assert {name: frame[name] for name in ("type", "symbol", "model", "market")} == {
        "type": "decision",
        "symbol": "BTC",
        "model": "chatgpt",
        "market": "hyperliquid",
    }


@pytest.mark.parametrize(
    ("query", "seqs"), [({"model": "gemini"}, [2]), ({"symbol": "eth-perp"}, [3]), ({"event_type": "OPEN_SIGNAL"}, [1, 2, 3])]
)
def test_filters_narrow_the_page_and_go_on_from_the_head(
    publish: Publish, models: None, query: dict[str, str], seqs: list[int]
) -> None:
    publish()
    publish("gemini")
    publish(symbol="ETH")
    page = ask(**query)[1]
    assert [frame["seq"] for frame in page["results"]] == seqs
    assert page["next_after_seq"] == 3


def test_a_key_for_one_source_reads_only_that_source(publish: Publish) -> None:
    publish(source="desk_7")
    publish(source="desk_8")
    page = ask(key(allowed_sources=["desk_8"]))[1]
    assert [frame["source"] for frame in page["results"]] == ["desk_8"]


def test_without_a_position_reading_starts_at_the_oldest_frame_kept(publish: Publish) -> None:
    for _ in range(3):
        publish()
    Frame.objects.filter(seq__lte=2).delete()
    frame = ask()[1]["results"][0]
    assert (frame["seq"], frame["prev_seq"]) == (3, 2)


@pytest.mark.parametrize("query", [{"after_seq": 0}, {"after_seq": 3}, {"after_seq": 2, "epoch": "another"}])
def test_a_lost_position_is_gone(publish: Publish, query: dict[str, Any]) -> None:
    for _ in range(2):
        publish()
    Frame.objects.filter(seq=1).delete()
    status, problem = ask(**query)
    assert (status, problem["code"]) == (410, "resync")
    assert "after_seq=1" in problem["detail"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 201},
        {"limit": "x"},
        {"after_seq": -1},
        {"after_seq": 2**63},
        {"symbol": "USD"},
        {"event_type": "OPEN"},
        {"model": "nobody"},
        {"symbol": ""},
        {"model": ""},
        {"event_type": ""},
        {"epoch": ""},
        {"modle": "gemini"},
        {"symbol": ["BTC", "ETH"]},
    ],
    ids=str,
)
def test_a_bad_parameter_is_named(query: dict[str, Any]) -> None:
    status, problem = ask(**query)
    assert (status, problem["code"]) == (400, "validation_error")
    assert [error["pointer"] for error in problem["errors"]] == [f"/{name}" for name in query]


@pytest.mark.parametrize(("scope", "status"), [(Scope.DECISIONS_READ, 200), (Scope.ADMIN, 200), (Scope.EVENTS_READ, 403)])
def test_the_scope_decides(scope: str, status: int) -> None:
    assert ask(key(scope))[0] == status


def test_without_a_key_there_is_no_answer() -> None:
    assert ask("lens_00000000_nothing")[0] == 401
