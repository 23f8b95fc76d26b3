"""Durable consumers: a name, a place kept by acknowledgement, and a lag to look at."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async

from access.models import Scope
from access.services import create_key, rotate_key
from core.clock import now
from publishing import positions, retention
from publishing.models import Frame, Position, StreamHead
from publishing.operations import Since
from tests.publishing.conftest import Socket, append, key, welcomed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]


async def in_database(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await database_sync_to_async(work)(*args, **kwargs)


async def reader(text: str, **subscription: Any) -> tuple[Socket, dict[str, Any]]:
    socket = await welcomed(x_api_key=text)
    return socket, await socket.subscribe(consumer="exec-a", **subscription)


async def take(socket: Socket, count: int) -> list[tuple[int, int]]:
    frames = [await socket.hear() for _ in range(count)]
    return [(frame["seq"], frame["prev_seq"]) for frame in frames]


async def test_a_named_reader_goes_on_where_it_acknowledged() -> None:
    text = await in_database(key)
    socket, answer = await reader(text)
    assert "since" not in answer
    await in_database(append, 4)
    assert await take(socket, 4) == [(1, 0), (2, 1), (3, 2), (4, 3)]
    await socket.say({"op": "ack", "seq": 2})
    await socket.leave()
    socket, answer = await reader(text)
    assert (answer["recovered"], answer["since"]) == (True, {"seq": 2, "epoch": answer["epoch"]})
    assert await take(socket, 2) == [(3, 2), (4, 3)]
    await socket.leave()


async def test_a_reader_that_heard_nothing_yet_starts_where_it_first_listened() -> None:
    text = await in_database(key)
    await in_database(append, 2)
    socket, _ = await reader(text)
    await socket.leave()
    await in_database(append, 1)
    socket, _ = await reader(text)
    assert await take(socket, 1) == [(3, 2)]
    await socket.leave()


@pytest.mark.parametrize("asked", [{}, {"since": {"seq": 1}}])
async def test_a_place_is_kept_before_the_reader_hears_that_it_has_one(asked: dict[str, Any]) -> None:
    """Whatever ends the process in the next moment: what came in between is still owed."""
    text = await in_database(key)
    await in_database(append, 2)
    socket, _ = await reader(text, **asked)
    kept = await in_database(Position.objects.get)
    assert kept.seq == asked.get("since", {"seq": 2})["seq"]
    await socket.leave()


async def test_a_reader_that_stayed_away_longer_than_the_log_reaches_back_is_told_so() -> None:
    text = await in_database(key)
    await in_database(append, 1)
    socket, _ = await reader(text)
    await socket.leave()
    await in_database(append, 3)
    await in_database(Frame.objects.update, created_at=now() - timedelta(days=31))
    await in_database(Position.objects.update, updated_at=now() - timedelta(days=31))
    await in_database(retention.prune, retention.expiry())
    socket, answer = await reader(text)
    assert answer["recovered"] is False
    assert (await socket.hear())["reason"] == "before_retention"
    await socket.leave()


async def test_a_stated_position_makes_no_reader_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "MOST_NAMES", 1)
    socket, _ = await reader(await in_database(key))
    refused = await socket.subscribe(consumer="exec-b", since={"seq": 0})
    assert (refused["type"], refused["code"]) == ("error", "invalid_op")
    await socket.leave()


async def test_a_stated_position_wins_and_does_not_move_the_kept_one_back() -> None:
    text = await in_database(key)
    socket, _ = await reader(text)
    await in_database(append, 3)
    await take(socket, 3)
    await socket.say({"op": "ack", "seq": 3})
    answer = await socket.subscribe(consumer="exec-a", since={"seq": 1})
    assert "since" not in answer
    assert await take(socket, 2) == [(2, 1), (3, 2)]
    await socket.say({"op": "ack", "seq": 2})
    await socket.say({"op": "unsubscribe"})
    await socket.say({"op": "ping"})
    assert await socket.hear() == {"type": "pong"}
    assert (await in_database(Position.objects.get)).seq == 3
    await socket.leave()


async def test_an_acknowledgement_of_what_was_never_sent_counts_as_far_as_the_stream_went() -> None:
    text = await in_database(key)
    socket, _ = await reader(text)
    await in_database(append, 1)
    await take(socket, 1)
    await socket.say({"op": "ack", "seq": 1_000})
    await socket.leave()
    assert (await in_database(Position.objects.get)).seq == 1


async def test_names_belong_to_their_caller() -> None:
    first, second = await in_database(key), await in_database(key)
    await in_database(append, 2)
    for text, since in ((first, 1), (second, 2)):
        socket, _ = await reader(text, since={"seq": since})
        await socket.say({"op": "ack", "seq": since})
        await socket.leave()
    assert sorted(await in_database(lambda: list(Position.objects.values_list("seq", flat=True)))) == [1, 2]


async def test_a_place_in_a_log_that_is_no_more_is_told() -> None:
    text = await in_database(key)
    await in_database(append, 1)
    socket, _ = await reader(text)
    await socket.leave()
    await in_database(StreamHead.objects.update, epoch="restored", last_seq=10)
    socket, answer = await reader(text)
    assert answer["recovered"] is False
    assert (await socket.hear())["reason"] == "epoch_changed"
    await socket.leave()


async def test_a_caller_has_only_so_many_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "MOST_NAMES", 1)
    text = await in_database(key)
    socket, _ = await reader(text)
    await socket.say({"op": "unsubscribe"})
    assert (await socket.subscribe(consumer="exec-b"))["code"] == "invalid_op"
    await socket.leave()


async def test_the_lag_shows_who_is_behind_and_by_how_much() -> None:
    await in_database(append, 5)
    epoch = (await in_database(StreamHead.objects.get)).epoch
    marks = {("key:a", "slow"): Since(seq=1, epoch=epoch), ("key:a", "quick"): Since(seq=5, epoch=epoch)}
    await in_database(positions.keep, {**marks, ("key:b", "lost"): Since(seq=9, epoch="another")})
    lags = await in_database(positions.lags)
    assert [(lag.name, lag.behind) for lag in lags] == [("slow", 4), ("quick", 0), ("lost", None)]
    await in_database(positions.keep, {("key:a", "slow"): Since(seq=0, epoch=epoch)})
    assert (await in_database(positions.lags))[0].seq == 1


async def test_the_lag_names_the_key_behind_a_caller_however_often_it_was_rotated() -> None:
    epoch = (await in_database(StreamHead.objects.get)).epoch
    first, _ = await in_database(create_key, "desk 7", [str(Scope.DECISIONS_READ)])
    newest, _ = await in_database(rotate_key, str(first.pk), timedelta(hours=1))
    caller = f"key:{newest.family}"
    place, peer = Since(seq=0, epoch=epoch), "peer:10.0.0.1"
    await in_database(positions.keep, {(caller, "exec"): place, (peer, "exec"): place})
    assert {lag.caller: lag.key for lag in await in_database(positions.lags)} == {caller: "desk 7", peer: peer}
