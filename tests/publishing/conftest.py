"""What the stream's tests share: signals as far along as a test needs them, and sockets that can be talked to."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.db import transaction
from django.db.models.functions import Now

from access.models import Scope
from access.services import create_key
from evaluation.models import Decision, EvaluationModel, Verdict
from publishing.routing import sockets
from publishing.services import append_decision, publish_decision
from signals.lifecycle import advance
from signals.models import Signal, Status
from tests.conftest import signal_fields
from tests.described import checked

ANSWER = {
    "entry_plan": {"type": "limit", "offset_bps": -5},
    "risk_plan": {"stop_method": "atr", "atr_multiple": 2.0},
    "size_pct": 12,
    "reasons": ["ema_bullish_stack"],
    "evidence_for": [],
    "evidence_against": [],
}


def judge(signal: Signal, model: str = "chatgpt", **columns: Any) -> Decision:
    """That model's settled decision: FOLLOW_ENTER at 0.62."""
    fields = {"decision": "FOLLOW_ENTER", "confidence": 0.62, "status": "ok", "answer": ANSWER, "evaluated_at": Now()}
    return Decision.objects.create(signal=signal, model=model, evaluation=signal.evaluation, **{**fields, **columns})


def move(signal: Signal, *way: Status, **columns: Any) -> Signal:
    """The signal at the end of that way."""
    for status in way:
        with transaction.atomic():
            assert advance(signal, status, **columns)
    return Signal.objects.get(pk=signal.pk)


def conclude(signal: Signal) -> Signal:
    """The signal evaluated, with its verdict."""
    vote = {"model": "chatgpt", "decision": "FOLLOW_ENTER", "confidence": 0.62, "status": "ok"}
    outcome = {"decision": "FOLLOW_ENTER", "confidence": 0.58, "policy": "majority", "votes": [vote], "disagreement": 0.0}
    Verdict.objects.create(signal=signal, evaluation=signal.evaluation, **outcome)
    return move(signal, Status.ENRICHED, Status.EVALUATED)


def key(*scopes: str, **limits: Any) -> str:
    """A new key's text; it may read decisions unless told otherwise."""
    return create_key("executor", scopes or [Scope.DECISIONS_READ], **limits)[1]


@pytest.fixture
def publish(make_signal: Callable[..., Signal]) -> Callable[..., Signal]:
    """Puts one decision of a new signal on the stream."""

    def publish(model: str = "chatgpt", **changes: Any) -> Signal:
        signal = make_signal(**changes)
        judge(signal, model)
        assert publish_decision(signal, model)
        return signal

    return publish


def append(count: int, model: str = "chatgpt") -> None:
    """So many frames of signals that are stored nowhere: the log knows no foreign keys, and this is quick."""
    for _ in range(count):
        signal = Signal(**signal_fields())
        append_decision(signal, Decision(signal=signal, model=model, decision="IGNORE", status="ok", answer=ANSWER))


@pytest.fixture
def models(db: None) -> None:
    """A registry of two."""
    for name in ("chatgpt", "gemini"):
        EvaluationModel.objects.create(name=name, vendor="baseline", model_id=name)


class Socket:
    """A socket inside this process, through the real routing and middleware."""

    def __init__(self, path: str = "/ws/decisions", offered: tuple[str, ...] = (), **headers: str) -> None:
        encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.wire = WebsocketCommunicator(sockets, path, headers=encoded, subprotocols=list(offered))

    async def open(self) -> "tuple[bool, str | int | None]":
        """Whether the handshake was accepted, and the subprotocol or refusal code."""
        accepted, detail = await self.wire.connect(timeout=10)
        return accepted, detail

    async def say(self, message: dict[str, Any] | str) -> None:
        await self.wire.send_to(text_data=message if isinstance(message, str) else json.dumps(message))

    async def hear(self, *, beats: bool = False) -> dict[str, Any]:
        """The next frame; heartbeats only when asked for."""
        while True:
            frame = checked(json.loads(await self.wire.receive_from(timeout=10)))
            if beats or frame["type"] != "heartbeat":
                return frame

    async def closed(self) -> int:
        """Hear on until the server closes; the code."""
        while True:
            message = await self.wire.receive_output(timeout=10)
            if message["type"] == "websocket.close":
                return int(message["code"])

    async def subscribe(self, **subscription: Any) -> dict[str, Any]:
        """Subscribe, and hear that it was taken."""
        await self.say({"op": "subscribe", "id": 1, **subscription})
        return await self.hear()

    async def leave(self) -> None:
        await self.wire.disconnect(timeout=10)


async def welcomed(**headers: str) -> Socket:
    """An open socket that was let in."""
    socket = Socket("/ws/decisions", (), **headers)
    assert (await socket.open())[0]
    assert (await socket.hear())["type"] == "welcome"
    return socket
