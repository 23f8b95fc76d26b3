"""The client's pure parts: positions on disk, the chain, what is remembered, how long it stays away."""

from pathlib import Path
from typing import Any

import pytest
from sigmapilot_lens_client import Chain, FilePositions, Filter, Frame, Position, RefusedError
from sigmapilot_lens_client.client import _pause
from sigmapilot_lens_client.frames import Acted
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close


def frame(seq: int, prev_seq: int = 0, **changes: Any) -> Frame:
    about = {"event_id": f"e{seq}", "evaluation": 0, "type": "decision", "model": "chatgpt"}
    made: Any = {"epoch": "a", "seq": seq, "prev_seq": prev_seq, **about, **changes}
    return made  # type: ignore[no-any-return]


def closed(code: int, reason: str = "") -> ConnectionClosedError:
    return ConnectionClosedError(Close(code, reason), None)


def test_a_position_survives_and_is_replaced_whole(tmp_path: Path) -> None:
    store = FilePositions(tmp_path / "position.json")
    assert store.load() is None
    for seq in (1, 2):
        store.save(Position("a", seq))
        assert FilePositions(tmp_path / "position.json").load() == Position("a", seq)
    assert [path.name for path in tmp_path.iterdir()] == ["position.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"epoch": "a"}', '{"epoch": "a", "seq": "x"}'])
def test_a_file_that_is_no_position_stops_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "position.json").write_text(text)
    with pytest.raises(ValueError, match="holds no position"):
        FilePositions(tmp_path / "position.json").load()


def test_the_chain_knows_repeats_and_holes() -> None:
    chain = Chain(Position("a", 7))
    assert chain.is_repeat(frame(7))
    assert chain.follows(frame(9, prev_seq=7))
    assert not chain.follows(frame(9, prev_seq=8))
    chain.move(frame(9, epoch="older"))
    assert chain.position == Position("a", 9)


def test_a_number_is_known_only_in_its_own_log() -> None:
    chain = Chain(Position("c", 0))
    chain.move(frame(2, epoch="a"))
    chain.move(frame(4, epoch="b"))
    known = [("a", 1), ("a", 2), ("b", 4), ("c", 5)]
    unknown = [("a", 3), ("b", 5), ("z", 1)]
    assert [chain.knows(frame(seq, epoch=epoch)) for epoch, seq in known + unknown] == [True] * 4 + [False] * 3


def test_what_was_acted_upon_is_known_by_what_it_says_and_not_for_ever() -> None:
    acted = Acted(most=2)
    for seq in (1, 2, 3):
        acted.add(frame(seq))
    assert [frame(seq) in acted for seq in (1, 2, 3)] == [False, True, True]
    assert frame(99, event_id="e3") in acted
    assert frame(99, event_id="e3", model="gemini") not in acted


def test_a_filter_says_what_was_asked_for_and_nothing_else() -> None:
    assert Filter(symbol=["BTC"], kind=("verdict",)).message() == {"symbol": ["BTC"], "kind": ["verdict"]}
    assert Filter().message() == {}


def test_it_stays_away_with_jitter_or_as_long_as_it_was_advised() -> None:
    for failures, longest in [(0, 1.0), (1, 2.0), (2, 4.0), (3, 8.0), (4, 10.0), (7, 10.0), (1024, 10.0), (10**9, 10.0)]:
        pauses = [_pause(OSError(), failures) for _ in range(200)]
        assert all(0.5 <= pause <= longest for pause in pauses)
        assert len(set(pauses)) > 100
    assert _pause(closed(1012, "restart; reconnect_ms=1234"), 0) == 1.234
    assert _pause(closed(1012, "restart; reconnect_ms=999999"), 0) == 10.0


@pytest.mark.parametrize("code", [4400, 4401, 4403])
def test_what_is_refused_for_good_is_not_tried_again(code: int) -> None:
    with pytest.raises(RefusedError, match=str(code)):
        _pause(closed(code), 0)
