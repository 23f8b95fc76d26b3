"""Receipts: an executor's word on a decision, stored once, refused when it cannot be true, shown beside the event."""

from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio
from channels.db import database_sync_to_async
from rest_framework.test import APIClient

from access.models import Scope
from evaluation.models import Decision
from publishing.models import Receipt
from signals.models import Signal
from tests.publishing.conftest import Socket, key, welcomed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]

Publish = Callable[..., Signal]


async def in_database(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await database_sync_to_async(work)(*args, **kwargs)


@pytest_asyncio.fixture
async def socket() -> Any:
    opened = await welcomed(x_api_key=await in_database(key))
    yield opened
    await opened.leave()


async def decision_of(publish: Publish, **changes: Any) -> str:
    await in_database(publish, **changes)
    return str((await in_database(Decision.objects.latest, "claimed_at")).pk)


async def tell(socket: Socket, decision: str, state: str, **words: Any) -> dict[str, Any]:
    await socket.say({"op": "receipt", "id": 9, "decision_id": decision, "state": state, **words})
    return await socket.hear()


async def test_a_receipt_is_stored_once_however_often_it_is_told_and_shown_with_the_event(socket: Socket, publish: Publish) -> None:
    decision = await decision_of(publish)
    acted = {"reason": "filled at 60 012", "client_order_id": "ord-7"}
    for state, words in [("received", {}), ("acted", acted), ("acted", acted)]:
        assert await tell(socket, decision, state, **words) == {"type": "receipt", "id": 9, "decision_id": decision, "state": state}
    rows = await in_database(lambda: list(Receipt.objects.values_list("state", "reason", "client_order_id", "name")))
    assert rows == [("received", "", "", "executor"), ("acted", "filled at 60 012", "ord-7", "executor")]

    def detail() -> Any:
        headers = {"X-API-Key": key(Scope.EVENTS_READ)}
        return APIClient().get(f"/api/v1/events/{Signal.objects.get().pk}", headers=headers).json()["receipts"]

    shown = await in_database(detail)
    assert [(one["decision_id"], one["state"], one["client_order_id"], one["by"]) for one in shown] == [
        (decision, "received", None, "executor"),
        (decision, "acted", "ord-7", "executor"),
    ]


async def test_without_an_id_it_is_stored_in_silence(socket: Socket, publish: Publish) -> None:
    await socket.say({"op": "receipt", "decision_id": await decision_of(publish), "state": "skipped"})
    await socket.say({"op": "ping"})
    assert await socket.hear() == {"type": "pong"}
    assert await in_database(Receipt.objects.count) == 1


async def test_other_words_on_the_same_state_are_a_contradiction(socket: Socket, publish: Publish) -> None:
    decision = await decision_of(publish)
    await tell(socket, decision, "acted", client_order_id="ord-7")
    assert (await tell(socket, decision, "acted", client_order_id="ord-8"))["code"] == "receipt_conflict"
    assert (await in_database(Receipt.objects.get)).client_order_id == "ord-7"


async def test_a_decision_nobody_made_or_of_a_source_out_of_sight_is_unknown(socket: Socket, publish: Publish) -> None:
    assert (await tell(socket, "01990000-0000-7000-8000-000000000000", "acted"))["code"] == "unknown_decision"
    decision = await decision_of(publish, source="desk_7")
    confined = await welcomed(x_api_key=await in_database(key, allowed_sources=["desk_8"]))
    assert (await tell(confined, decision, "acted"))["code"] == "unknown_decision"
    await confined.leave()


@pytest.mark.parametrize(
    "words",
    [
        {"state": "done"},
        {"decision_id": "7"},
        {"reason": "x" * 501},
        {"client_order_id": "a\x00b"},
        {"client_order_id": "\ud800"},
        {"note": "?"},
    ],
    ids=["state", "id", "long", "nul", "surrogate", "unknown"],
)
async def test_a_receipt_that_makes_no_sense_is_named_and_not_kept(socket: Socket, publish: Publish, words: dict[str, Any]) -> None:
    fields = {"op": "receipt", "decision_id": await decision_of(publish), "state": "acted", **words}
    await socket.say(fields)
    answer = await socket.hear()
    assert (answer["code"], answer["message"].split(":")[0]) == ("invalid_op", f"{next(iter(words))}")
    assert await in_database(Receipt.objects.count) == 0
