"""Conversations with the socket: who gets in, what is heard, and what ends it."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from channels.db import database_sync_to_async
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client

from access.models import ApiKey, Scope
from access.services import revoke_key
from access.throttling import PEER_FACTOR
from core import telemetry
from core.clock import now
from publishing import consumers, hub, selectors
from publishing.models import Frame, Position, StreamHead
from publishing.tail import in_thread
from signals.models import Signal
from tests.publishing.conftest import Socket, append, key, welcomed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]

Publish = Callable[..., Signal]


@pytest.fixture(autouse=True)
def _quick_heart(settings: LazySettings) -> None:
    settings.LENS = settings.LENS.model_copy(update={"heartbeat_s": 0.2})
    settings.ALLOWED_HOSTS = ["lens.example"]


@pytest_asyncio.fixture
async def socket() -> Any:
    """One that was let in."""
    opened = await welcomed(x_api_key=await database_sync_to_async(key)())
    yield opened
    await opened.leave()


async def in_database(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await database_sync_to_async(work)(*args, **kwargs)


# ── who gets in ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/ws/decisions", "/api/v1/ws/stream"])
@pytest.mark.parametrize("form", ["x_api_key", "authorization"])
async def test_a_key_in_a_header_is_welcomed(path: str, form: str) -> None:
    text = await in_database(key)
    socket = Socket(path, (), **{form: f"Bearer {text}" if form == "authorization" else text})
    assert await socket.open() == (True, None)
    welcome = await socket.hear()
    assert welcome.keys() == {"type", "conn_id", "epoch", "head_seq", "heartbeat_s"}
    assert (welcome["type"], welcome["head_seq"], welcome["heartbeat_s"]) == ("welcome", 0, 0.2)
    await socket.leave()


async def test_a_key_as_subprotocol_is_welcomed_and_never_echoed() -> None:
    socket = Socket(offered=("lens.v1", f"lens.key.{await in_database(key)}"))
    assert await socket.open() == (True, "lens.v1")
    assert (await socket.hear())["type"] == "welcome"
    await socket.leave()


async def test_a_key_in_the_first_message_is_welcomed_and_asked_for_once() -> None:
    socket = Socket()
    assert await socket.open() == (True, None)
    assert (await socket.subscribe())["code"] == "invalid_op"
    await socket.say({"op": "auth", "key": await in_database(key)})
    assert (await socket.hear())["type"] == "welcome"
    await socket.say({"op": "auth", "key": "again"})
    assert (await socket.hear())["code"] == "invalid_op"
    await socket.leave()


async def test_a_key_in_the_query_string_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "AUTH_WITHIN_S", 0.1)
    socket = Socket(f"/ws/decisions?key={await in_database(key)}")
    assert await socket.open() == (True, None)
    assert await socket.closed() == 4408
    await socket.leave()


@pytest.mark.parametrize(("scopes", "code"), [(None, 4401), ([Scope.EVENTS_READ], 4403)])
async def test_a_wrong_key_is_accepted_and_closed_with_the_reason(scopes: list[str] | None, code: int) -> None:
    socket = Socket(x_api_key="lens_00000000_nothing" if scopes is None else await in_database(key, *scopes))
    assert await socket.open() == (True, None)
    assert await socket.closed() == code
    await socket.leave()


async def test_a_peer_that_failed_too_often_is_told_so_and_a_good_key_is_not(settings: LazySettings) -> None:
    settings.LENS = settings.LENS.model_copy(update={"rate_limit_burst": 1})
    peer = ("203.0.113.77", 5)
    codes = []
    for _ in range(PEER_FACTOR + 1):
        socket = Socket(x_api_key="lens_00000000_nothing")
        socket.wire.scope["client"] = peer
        await socket.open()
        codes.append(await socket.closed())
        await socket.leave()
    assert codes == [4401] * PEER_FACTOR + [4429]
    good = Socket(x_api_key=await in_database(key))
    good.wire.scope["client"] = peer
    await good.open()
    assert (await good.hear())["type"] == "welcome"
    await good.leave()


@pytest.mark.parametrize(
    ("origin", "accepted"),
    [
        ("https://lens.example", True),
        ("http://lens.example:8001", True),
        ("https://evil.example", False),
        ("null", False),
        ("[", False),
    ],
)
async def test_a_page_of_another_host_is_refused_in_the_handshake(origin: str, accepted: bool) -> None:
    socket = Socket(x_api_key=await in_database(key), origin=origin)
    assert (await socket.open())[0] is accepted
    await socket.leave()


@pytest.mark.parametrize(
    ("staff", "origin", "code"), [(True, "https://lens.example", None), (False, "https://lens.example", 4401), (True, None, 4408)]
)
async def test_a_session_counts_for_staff_on_our_own_pages(
    monkeypatch: pytest.MonkeyPatch, staff: bool, origin: str | None, code: int | None
) -> None:
    monkeypatch.setattr(consumers, "AUTH_WITHIN_S", 0.1)
    person = await in_database(User.objects.create_user, "alice", is_staff=staff)
    client = Client()
    await in_database(client.force_login, person)
    headers = {"cookie": f"sessionid={client.cookies['sessionid'].value}"} | ({"origin": origin} if origin else {})
    socket = Socket("/ws/decisions", (), **headers)
    assert (await socket.open())[0]
    if code is None:
        assert (await socket.hear())["type"] == "welcome"
    else:
        assert await socket.closed() == code
    await socket.leave()


async def test_a_trusted_peer_needs_no_key(settings: LazySettings) -> None:
    settings.LENS = replace_setting(settings, trusted_networks="127.0.0.0/8")
    socket = Socket()
    socket.wire.scope["client"] = ("127.0.0.1", 5)
    assert (await socket.open())[0]
    assert (await socket.hear())["type"] == "welcome"
    await socket.leave()


def replace_setting(settings: LazySettings, **changes: Any) -> Any:
    """The knobs with some turned, checked as at start."""
    return type(settings.LENS).model_validate({**settings.LENS.model_dump(), **changes})


async def test_one_socket_too_many_is_told_so(settings: LazySettings, socket: Socket) -> None:
    settings.LENS = settings.LENS.model_copy(update={"ws_max_connections": 1})
    second = Socket(x_api_key=await in_database(key))
    assert (await second.open())[0]
    assert await second.closed() == 4429
    await second.leave()


async def test_sockets_that_say_nothing_take_nobodys_place(settings: LazySettings) -> None:
    settings.LENS = settings.LENS.model_copy(update={"ws_max_connections": 1})
    silent = Socket()
    assert (await silent.open())[0]
    good = await welcomed(x_api_key=await in_database(key))
    for socket in (silent, good):
        await socket.leave()


async def test_an_address_may_not_stand_at_the_door_for_ever_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "MOST_SILENT", 2)
    silent = [Socket() for _ in range(3)]
    for socket in silent:
        assert (await socket.open())[0]
    assert await silent[2].closed() == 4429
    good = await welcomed(x_api_key=await in_database(key))
    for socket in (*silent, good):
        await socket.leave()


async def test_after_a_broken_task_whoever_comes_next_is_served(
    monkeypatch: pytest.MonkeyPatch, socket: Socket, publish: Publish
) -> None:
    await socket.subscribe()
    with monkeypatch.context() as broken:
        broken.setattr(selectors, "read", lambda *_: 1 / 0)
        assert await socket.closed() == 1011
    text = await in_database(key)
    late = await welcomed(x_api_key=text)  # while the other is still saying goodbye
    await late.subscribe()
    await in_database(publish)
    assert (await late.hear())["type"] == "decision"
    for one in (socket, late):
        await one.leave()


async def test_another_address_is_refused() -> None:
    socket = Socket("/ws/elsewhere")
    assert (await socket.open())[0] is False


@pytest.mark.parametrize(("change", "code"), [("revoke", 4401), ("expire", 4401), ("narrow", 4403)])
async def test_an_open_socket_ends_within_a_moment_of_its_key(socket: Socket, change: str, code: int) -> None:
    await socket.subscribe()
    stored = await in_database(ApiKey.objects.get)
    if change == "revoke":
        await in_database(revoke_key, str(stored.pk))
    elif change == "expire":
        await in_database(ApiKey.objects.update, expires_at=now() - timedelta(seconds=1))
    else:
        await in_database(ApiKey.objects.update, scopes=[Scope.EVENTS_READ])
    asked_at = now()
    assert await socket.closed() == code
    assert now() - asked_at < timedelta(seconds=3)


async def test_nobody_waits_for_the_database_to_be_shown_out() -> None:
    """Neither those whose place is yet to be kept nor those behind them."""
    text = await in_database(key)
    sockets = [await welcomed(x_api_key=text) for _ in range(4)]
    for number, one in enumerate(sockets):
        await one.subscribe(consumer=f"exec-{number}")
    await in_database(append, 1)
    for one in sockets:
        assert (await one.hear())["seq"] == 1
    crowd = [asyncio.create_task(in_thread(time.sleep, 4)) for _ in range(8)]
    for one in sockets:
        await one.say({"op": "ack", "seq": 1})
    await in_database(ApiKey.objects.update, revoked_at=now())
    asked_at = now()
    assert await asyncio.gather(*(one.closed() for one in sockets)) == [4401] * 4
    assert now() - asked_at < timedelta(seconds=3)
    await asyncio.gather(*crowd)
    for one in sockets:
        await one.leave()
    assert await in_database(Position.objects.filter(seq=1).count) == 4


@pytest.mark.parametrize("ending", ["logs out", "changes the password"])
async def test_a_persons_socket_ends_with_the_session(settings: LazySettings, ending: str) -> None:
    person = await in_database(User.objects.create_user, "alice", is_staff=True)
    client = Client()
    await in_database(client.force_login, person)
    socket = await welcomed(cookie=f"sessionid={client.cookies['sessionid'].value}", origin="https://lens.example")
    if ending == "logs out":
        await in_database(client.logout)
    else:
        person.set_password("another one")
        await in_database(person.save)
    assert await socket.closed() == 4401
    await socket.leave()


# ── what is heard ────────────────────────────────────────────────────────────


async def test_nothing_comes_before_a_subscription(socket: Socket, publish: Publish) -> None:
    await in_database(publish)
    assert await socket.wire.receive_nothing(timeout=0.5)


async def test_without_a_position_the_stream_is_live_from_the_head(socket: Socket, publish: Publish) -> None:
    await in_database(publish)
    answer = await socket.subscribe()
    assert (answer["type"], answer["id"], answer["head_seq"], answer["recovered"]) == ("subscribed", 1, 1, True)
    await in_database(publish)
    frame = await socket.hear()
    assert (frame["seq"], frame["prev_seq"], frame["snapshot"], frame["stale"]) == (2, 1, False, False)
    assert (frame["type"], frame["epoch"], frame["decision"]) == ("decision", answer["epoch"], "FOLLOW_ENTER")


async def test_from_a_position_the_past_is_replayed_and_the_present_follows(socket: Socket, publish: Publish) -> None:
    for _ in range(5):
        await in_database(publish, ts_utc=now() - timedelta(seconds=301))
    answer = await socket.subscribe(since={"seq": 2})
    assert (answer["head_seq"], answer["recovered"]) == (5, True)
    await in_database(publish)
    heard = [await socket.hear() for _ in range(4)]
    assert [(frame["seq"], frame["prev_seq"]) for frame in heard] == [(3, 2), (4, 3), (5, 4), (6, 5)]
    assert [(frame["snapshot"], frame["stale"]) for frame in heard] == [(True, True)] * 3 + [(False, False)]


async def test_a_filtered_chain_has_no_gap(socket: Socket, publish: Publish, models: None) -> None:
    for model in ("chatgpt", "gemini", "chatgpt", "gemini", "gemini"):
        await in_database(publish, model)
    await socket.subscribe(filter={"model": "gemini"}, since={"seq": 1})
    await in_database(publish, "chatgpt")
    await in_database(publish, "gemini")
    heard = [await socket.hear() for _ in range(4)]
    assert [(frame["seq"], frame["prev_seq"]) for frame in heard] == [(2, 1), (4, 2), (5, 4), (7, 5)]


async def test_a_key_for_one_source_hears_only_that_source(publish: Publish) -> None:
    socket = await welcomed(x_api_key=await in_database(key, allowed_sources=["desk_8"]))
    await socket.subscribe()
    for source in ("desk_7", "desk_8"):
        await in_database(publish, source=source)
    assert (await socket.hear())["source"] == "desk_8"
    await socket.leave()


async def test_a_new_subscription_takes_the_place_of_the_old(socket: Socket, publish: Publish) -> None:
    await socket.subscribe(filter={"symbol": "ETH"})
    await socket.subscribe(filter={"symbol": "BTC"})
    for symbol in ("ETH", "BTC"):
        await in_database(publish, symbol=symbol)
    assert (await socket.hear())["symbol"] == "BTC"


async def test_a_refused_subscription_leaves_the_old_one_standing(socket: Socket, publish: Publish, models: None) -> None:
    await socket.subscribe()
    assert (await socket.subscribe(filter={"model": ["nobody"]}))["code"] == "invalid_filter"
    assert (await socket.subscribe(consumer=""))["code"] == "invalid_op"
    await in_database(publish)
    assert (await socket.hear())["seq"] == 1


async def test_after_unsubscribing_there_is_silence(socket: Socket, publish: Publish) -> None:
    await socket.subscribe()
    await socket.say({"op": "unsubscribe", "id": 1})
    await socket.say({"op": "ping", "id": 7})
    assert await socket.hear() == {"type": "pong", "id": 7}
    await in_database(publish)
    assert await socket.wire.receive_nothing(timeout=0.5)


async def test_the_older_form_hears_decisions_alone(socket: Socket, publish: Publish) -> None:
    await socket.say({"action": "subscribe", "filters": {"symbol": "BTC"}})
    assert (await socket.hear()).keys() == {"type", "epoch", "head_seq", "recovered"}
    await in_database(publish)
    assert (await socket.hear())["type"] == "decision"
    await socket.say({"type": "ping"})
    assert await socket.hear() == {"type": "pong"}


async def test_a_heartbeat_names_the_head(socket: Socket, publish: Publish) -> None:
    await in_database(publish)
    await socket.subscribe(since={"seq": 0})
    await socket.hear()
    beats = [await socket.hear(beats=True) for _ in range(2)]
    assert [(beat["type"], beat["head_seq"]) for beat in beats] == [("heartbeat", 1)] * 2
    assert beats[0].keys() == {"type", "epoch", "head_seq", "ts"}


async def test_a_window_holds_frames_back_until_they_are_acknowledged(socket: Socket, publish: Publish) -> None:
    for _ in range(4):
        await in_database(publish)
    await socket.subscribe(since={"seq": 0}, window=2)
    assert [(await socket.hear())["seq"] for _ in range(2)] == [1, 2]
    assert (await socket.hear(beats=True))["type"] == "heartbeat"
    await socket.say({"op": "ack", "seq": 1})
    assert (await socket.hear())["seq"] == 3
    await socket.say({"op": "ack", "seq": 3})
    assert (await socket.hear())["seq"] == 4


@pytest.mark.parametrize(
    ("since", "pruned", "reason"),
    [
        ({"seq": 9}, 0, "epoch_changed"),
        ({"seq": 1, "epoch": "another"}, 0, "epoch_changed"),
        ({"seq": 1}, 2, "before_retention"),
    ],
)
async def test_a_lost_position_is_said_and_the_stream_goes_on(
    socket: Socket, publish: Publish, since: dict[str, Any], pruned: int, reason: str
) -> None:
    await socket.subscribe()
    for _ in range(3):
        await in_database(publish)
        await socket.hear()
    await in_database(lambda: Frame.objects.filter(seq__lte=pruned).delete())
    answer = await socket.subscribe(since=since)
    assert (answer["type"], answer["recovered"]) == ("subscribed", False)
    lost = await socket.hear()
    assert (lost["type"], lost["reason"], lost["head_seq"]) == ("resync", reason, 3)
    assert lost["rest"] == f"/api/v1/decisions/stream?epoch={answer['epoch']}&after_seq={pruned}"
    await in_database(publish)
    frame = await socket.hear()
    assert (frame["seq"], frame["prev_seq"]) == (4, 3)


async def test_a_restored_log_is_noticed_by_open_sockets(socket: Socket, publish: Publish) -> None:
    await in_database(publish)
    await socket.subscribe()
    await in_database(StreamHead.objects.update, epoch="restored", last_seq=10)
    lost = await socket.hear()
    assert (lost["type"], lost["reason"], lost["head_seq"]) == ("resync", "epoch_changed", 10)
    await in_database(publish)
    frame = await socket.hear()
    assert (frame["epoch"], frame["seq"], frame["prev_seq"]) == ("restored", 11, 10)


async def test_a_lost_doorbell_costs_a_tick_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, socket: Socket, publish: Publish
) -> None:
    monkeypatch.setattr("publishing.stream.ring", lambda head: None)
    await socket.subscribe()
    found = telemetry.wakeups_lost.labels(seen_by="reader")
    before = found._value.get()
    asked_at = now()
    await in_database(publish)
    assert (await socket.hear())["seq"] == 1
    assert now() - asked_at < timedelta(seconds=2)
    assert found._value.get() == before + 1


# ── what ends it ─────────────────────────────────────────────────────────────


async def test_errors_are_answered_and_the_tenth_in_a_minute_is_the_last(socket: Socket) -> None:
    for _ in range(10):
        await socket.say("{")
        assert (await socket.hear()) == {"type": "error", "code": "bad_json", "message": "the message is not JSON"}
    assert await socket.closed() == 4400


async def test_binary_is_no_language_here(socket: Socket) -> None:
    await socket.wire.send_to(bytes_data=b"{}")
    assert await socket.closed() == 4400


async def test_a_message_too_long_ends_the_socket(socket: Socket) -> None:
    await socket.say(" " * 16_385)
    assert await socket.closed() == 1009


async def test_a_server_that_stops_says_so(socket: Socket) -> None:
    await socket.subscribe()
    socket.wire.future.cancel()
    assert await socket.closed() == 1012
