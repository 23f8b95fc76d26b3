"""The client: connect, subscribe, check, hand over, remember; and all of it again when the connection ends.

socket ──▶ repeat? drop ──▶ follows the chain? ──▶ caller acts ──▶ position on disk ──▶ ack
                                     └─▶ no: ask again from the last good position; still no: on_gap
"""

import asyncio
import contextlib
import inspect
import json
import logging
import random
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from sigmapilot_lens_client.frames import Acted, Chain, Filter, Frame, Gap, Position
from sigmapilot_lens_client.positions import MemoryPositions, Positions

logger = logging.getLogger(__name__)

SHORTEST_S, LONGEST_S = 0.5, 10.0
FOR_GOOD = {4400, 4401, 4403}
_PAUSE = re.compile(r"reconnect_ms=(\d{1,6})\b")
_RECEIPT_REFUSALS = {"unknown_decision", "receipt_conflict", "invalid_op"}

OnGap = Callable[[Gap], Awaitable[None] | None]
State = Literal["received", "acted", "skipped"]


class RefusedError(Exception):
    """Coming back would not help: the key, the scope or the filter is refused."""


class _SilentError(Exception):
    """Neither a frame nor a heartbeat for too long, or nothing to expect any."""


@dataclass(frozen=True)
class Options:
    """`window`: frames in flight beyond the last acknowledged one. `silence_s`: longest silence; by default four heartbeats."""

    window: int | None = 64
    auto_ack: bool = True
    silence_s: float | None = None
    open_timeout_s: float = 10.0


class LensClient:
    """An async iterator of frames; one iteration at a time.

    With `auto_ack` a frame is acknowledged when the next one is asked for, that is after the loop's body has acted on it. Without a
    stored position it begins at the head, live. A wait that is given up loses nothing: the next goes on behind the newest frame.
    """

    def __init__(self, url: str, key: str, wanted: Filter | None = None, store: Positions | None = None, **more: Any) -> None:
        """`url`: ws://host:port/ws/decisions. `more`: `on_gap`, called with each Gap, may be async; `options`."""
        self._url = url
        self._headers = {"X-API-Key": key}
        self._filter = (wanted or Filter()).message()
        self._store: Positions = store or MemoryPositions()
        self._on_gap: OnGap | None = more.pop("on_gap", None)
        self._options: Options = more.pop("options", Options())
        if more:
            raise TypeError(f"unknown: {', '.join(more)}")
        self._acted = Acted()
        self._chain: Chain | None = None
        self._socket: ClientConnection | None = None
        self._stream: AsyncGenerator[Frame, None] | None = None
        self._handed: Frame | None = None
        self._asked = self._subscription = self._failures = 0
        self._live = False
        self._asked_again_at: Position | None = None
        self._silence_s = self._options.silence_s or 20.0
        self._receipts: dict[int, dict[str, Any]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        if self._options.auto_ack and self._handed is not None:
            await self.ack(self._handed)
        if self._stream is None:
            self._stream = self._frames()
        frame = await anext(self._stream)
        self._handed = frame
        return frame

    @property
    def position(self) -> Position | None:
        """The newest frame handed over."""
        return self._chain.position if self._chain else None

    async def close(self) -> None:
        """Hang up. A frame that was not acknowledged comes again with the next iteration."""
        stream, self._stream, self._handed, self._chain = self._stream, None, None, None
        if stream is not None:
            await stream.aclose()

    async def ack(self, frame: Frame) -> None:
        """Everything up to this frame is dealt with: kept in the store first, then told to the server.

        Of a frame from a log that has been left, only the frame itself is remembered: its number says nothing in another log.
        """
        chain = self._chain
        if chain is None:
            raise RuntimeError("acknowledge while iterating")
        if chain.knows(frame):
            await asyncio.to_thread(self._store.save, Position(chain.position.epoch, frame["seq"]))
        self._acted.add(frame)
        self._handed = None
        if chain is self._chain and chain.knows(frame):
            await self._say({"op": "ack", "seq": frame["seq"]})

    async def receipt(self, decision_id: str, state: State, *, reason: str = "", client_order_id: str = "") -> None:
        """Tell what became of a decision; told again after a reconnect until it is confirmed."""
        self._asked += 1
        told = {"reason": reason, "client_order_id": client_order_id}
        message = {"op": "receipt", "id": self._asked, "decision_id": decision_id, "state": state}
        self._receipts[self._asked] = {**message, **{name: text for name, text in told.items() if text}}
        await self._say(self._receipts[self._asked])

    async def _frames(self) -> AsyncGenerator[Frame, None]:
        """From the newest frame handed over, or the kept position. Broken off it is over: the next wait begins another."""
        try:
            if self._chain is None and (kept := await asyncio.to_thread(self._store.load)):
                self._chain = Chain(kept)
            self._failures = 0
            while True:
                try:
                    async with (
                        connect(
                            self._url, additional_headers=self._headers, open_timeout=self._options.open_timeout_s, close_timeout=2
                        ) as self._socket,
                        contextlib.aclosing(self._serve(self._socket)) as heard,
                    ):
                        async for frame in heard:
                            yield frame
                except (WebSocketException, OSError, TimeoutError, _SilentError) as error:
                    pause = _pause(error, self._failures)
                    logger.info("reconnecting in %.1f s: %s", pause, error)
                finally:
                    self._socket = None
                self._failures += 1
                await asyncio.sleep(pause)
        finally:
            self._stream = None

    async def _serve(self, socket: ClientConnection) -> AsyncGenerator[Frame, None]:
        """One connection, until it ends."""
        welcome = await self._hear(socket)
        self._silence_s = self._options.silence_s or 4 * float(welcome.get("heartbeat_s", 5))
        await self._subscribe()
        for message in self._receipts.values():
            await self._say(message)
        while True:
            if frame := await self._dealt_with(await self._hear(socket)):
                yield frame

    async def _dealt_with(self, message: dict[str, Any]) -> Frame | None:
        """The frame to hand over, if the message is one."""
        match message["type"]:
            case "subscribed" if message.get("id") == self._subscription:
                await self._begin(message)
            case "decision" | "verdict" if self._live:
                return await self._checked(message)
            case "resync":
                await self._start_again(message)
            case "receipt":
                self._receipts.pop(int(message.get("id", 0)), None)
            case "error":
                self._complained(message)
        return None

    async def _hear(self, socket: ClientConnection) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._silence_s):
                heard: dict[str, Any] = json.loads(await socket.recv())
        except TimeoutError as error:
            raise _SilentError(f"nothing was heard for {self._silence_s:g} s") from error
        return heard

    async def _subscribe(self) -> None:
        """In place of whatever this connection is subscribed to; what was sent for that is not looked at any more."""
        self._asked += 1
        self._subscription, self._live = self._asked, False
        message: dict[str, Any] = {"op": "subscribe", "id": self._subscription, "filter": self._filter}
        if self._chain is not None:
            message["since"] = {"epoch": self._chain.position.epoch, "seq": self._chain.position.seq}
        if self._options.window is not None:
            message["window"] = self._options.window
        await self._say(message)

    async def _begin(self, subscribed: dict[str, Any]) -> None:
        """Frames may follow, unless a resync does. A first position is kept at once: what comes next must not be lost."""
        self._failures = 0
        if self._chain is None:
            head = Position(subscribed["epoch"], subscribed["head_seq"])
            await asyncio.to_thread(self._store.save, head)
            self._chain = Chain(head)
        self._live = bool(subscribed["recovered"])

    async def _checked(self, message: Any) -> Frame | None:
        """The frame, if it is the next one; None for a repeat, and while a broken chain is asked about."""
        frame: Frame = message
        if self._chain is None or self._chain.is_repeat(frame):
            return None
        if not self._chain.follows(frame) and not await self._doubted(self._chain.position, frame):
            return None
        self._chain.move(frame)
        if frame in self._acted:
            await self._say({"op": "ack", "seq": frame["seq"]})
            return None
        return frame

    async def _doubted(self, last: Position, frame: Frame) -> bool:
        """A chain that does not join: ask once more from the last good position, then believe it, and say so."""
        if self._asked_again_at != last:
            self._asked_again_at = last
            await self._subscribe()
            return False
        await self._tell(Gap("chain_broken", last, Position(last.epoch, frame["prev_seq"])))
        return True

    async def _start_again(self, resync: dict[str, Any]) -> None:
        """The position is gone: go on with everything that is still kept, through the same subscription."""
        asked = parse_qs(urlsplit(resync["rest"]).query)
        oldest = Position(asked["epoch"][0], int(asked["after_seq"][0]))
        await self._tell(Gap(str(resync["reason"]), self.position, oldest))
        self._chain = Chain(oldest)
        await self._subscribe()

    async def _tell(self, gap: Gap) -> None:
        logger.warning("frames may be missing: %s", gap)
        told = self._on_gap(gap) if self._on_gap else None
        if inspect.isawaitable(told):
            await told

    def _complained(self, error: dict[str, Any]) -> None:
        if error["code"] == "invalid_filter":
            raise RefusedError(f"{error['code']}: {error['message']}")
        if error["code"] == "unavailable":
            # What was asked is not done, the subscription perhaps; on the next connection all of it is asked again.
            raise _SilentError(f"{error['code']}: {error['message']}")
        logger.warning("the server complained: %s: %s", error["code"], error["message"])
        if error["code"] in _RECEIPT_REFUSALS and self._receipts:
            # Answers come in the order of the questions.
            self._receipts.pop(next(iter(self._receipts)))

    async def _say(self, message: dict[str, Any]) -> None:
        """To a connection that has just ended nothing is said; what matters is said again on the next."""
        if self._socket is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._socket.send(json.dumps(message))


def _pause(error: Exception, failures: int) -> float:
    """How long to stay away. Raises RefusedError when coming back would not help."""
    if isinstance(error, InvalidStatus) and error.response.status_code == 403:
        raise RefusedError("the handshake was refused") from error
    if isinstance(error, ConnectionClosed) and error.rcvd is not None:
        if error.rcvd.code in FOR_GOOD:
            raise RefusedError(f"closed with {error.rcvd.code} {error.rcvd.reason}".strip()) from error
        if advised := _PAUSE.search(error.rcvd.reason):
            return min(int(advised[1]) / 1000, LONGEST_S)
    return random.uniform(SHORTEST_S, min(LONGEST_S, 2.0 ** min(failures, 10)))
