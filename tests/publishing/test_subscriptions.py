"""Which frames, from where, and the chain they form. Tables."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from publishing.frames import Published
from publishing.operations import Since, parse_filter
from publishing.subscriptions import Chain, Filter, Log

NINE = datetime(2026, 1, 5, 9, tzinfo=UTC)
DEFAULTS = {"seq": 1, "epoch": "e", "kind": "decision", "model": "chatgpt", "symbol": "BTC", "event_type": "OPEN_SIGNAL"}


def frame(**changes: Any) -> Published:
    return Published(**{**DEFAULTS, "source": "desk_7", "valid_until": NINE, "rest": '{"a":1}', **changes})


DECISION = frame()
OTHER = frame(model="gemini", symbol="KPEPE", event_type="CLOSE_SIGNAL", source="desk_8")
VERDICT = frame(kind="verdict", model="")

MATCHES: dict[str, tuple[dict[str, Any], list[Published]]] = {
    "everything": ({}, [DECISION, OTHER, VERDICT]),
    "a symbol in any case": ({"symbol": "kpepe"}, [OTHER]),
    "an event type": ({"event_type": "OPEN_SIGNAL"}, [DECISION, VERDICT]),
    "a model, hence no verdict": ({"model": "chatgpt"}, [DECISION]),
    "any model": ({"model": "*"}, [DECISION, OTHER, VERDICT]),
    "a model, and verdicts by name": ({"model": "chatgpt", "kind": ["decision", "verdict"]}, [DECISION, VERDICT]),
    "verdicts alone": ({"kind": "verdict"}, [VERDICT]),
    "all of it at once": ({"symbol": "BTC", "model": ["gemini"], "event_type": "OPEN_SIGNAL"}, []),
}


@pytest.mark.parametrize(("stated", "expected"), MATCHES.values(), ids=list(MATCHES))
def test_a_filter_lets_through_what_it_names(stated: dict[str, Any], expected: list[Published]) -> None:
    wanted = Filter.of(parse_filter(stated), frozenset())
    assert [one for one in (DECISION, OTHER, VERDICT) if wanted.matches(one)] == expected


def test_a_key_for_some_sources_hears_only_those_whatever_it_asks_for() -> None:
    wanted = Filter.of(parse_filter({}), frozenset({"desk_8"}))
    assert [one for one in (DECISION, OTHER, VERDICT) if wanted.matches(one)] == [OTHER]


LOG = Log("e", head=100, horizon=40)
POSITIONS: dict[str, tuple[Since, str | None]] = {
    "in the log": (Since(seq=70, epoch="e"), None),
    "at the head": (Since(seq=100, epoch="e"), None),
    "just at the horizon": (Since(seq=40, epoch="e"), None),
    "without an epoch": (Since(seq=70), None),
    "before the horizon": (Since(seq=39, epoch="e"), "before_retention"),
    "beyond the head": (Since(seq=101, epoch="e"), "epoch_changed"),
    "of another log": (Since(seq=70, epoch="f"), "epoch_changed"),
}


@pytest.mark.parametrize(("since", "lost"), POSITIONS.values(), ids=list(POSITIONS))
def test_a_position_is_kept_or_its_loss_has_a_reason(since: Since, lost: str | None) -> None:
    assert LOG.lost(since) == lost


def test_the_rest_is_read_from_the_oldest_frame_kept() -> None:
    assert LOG.rest() == "/api/v1/decisions/stream?epoch=e&after_seq=40"


def sent(chain: Chain, *seqs: int) -> list[tuple[int, int, bool]]:
    texts = [json.loads(chain.send(frame(seq=seq), NINE)) for seq in seqs]
    return [(text["seq"], text["prev_seq"], text["snapshot"]) for text in texts]


def test_each_frame_names_the_one_sent_before_it_and_old_ones_are_marked() -> None:
    assert sent(Chain(start=10, snapshot_until=13), 11, 13, 17) == [(11, 10, True), (13, 11, True), (17, 13, False)]


def test_a_frame_passed_over_moves_the_cursor_and_not_the_chain() -> None:
    chain = Chain(start=10, snapshot_until=10)
    chain.cursor = 12
    assert sent(chain, 13) == [(13, 10, False)]


def test_a_window_closes_when_full_and_opens_with_acknowledgement() -> None:
    chain, credit = Chain(start=0, snapshot_until=0, window=2), []
    for seqs, acknowledged in [((1, 5), 0), ((), 1), ((6,), 4), ((), 6)]:
        sent(chain, *seqs)
        chain.acknowledge(acknowledged)
        credit.append(chain.credit)
    assert credit == [False, True, False, True]


def test_after_a_loss_the_chain_starts_at_the_new_head() -> None:
    chain = Chain(start=10, snapshot_until=10, window=1)
    sent(chain, 11)
    chain.restart(50)
    assert chain.credit is True
    assert sent(chain, 51) == [(51, 50, False)]
