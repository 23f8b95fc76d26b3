"""The socket door: `/ws/decisions`, alias `/api/v1/ws/stream`.

handshake ─▶ Origin ─▶ accept ─▶ who is it? ─▶ welcome ─▶ a Session acts ─▶ … subscribe … ─▶ a Feed serves
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import Error

from access.models import Scope
from access.services import Caller
from access.throttling import watch
from core import telemetry
from core.ids import uuid7
from core.problem import Problem
from publishing.credentials import SUBPROTOCOL, Credential, Key, peer_of, presented, welcome_origin
from publishing.hub import hub
from publishing.messages import Complaint, Welcome
from publishing.operations import Auth, RefusedError, parse
from publishing.outlet import Outlet, SlowReaderError
from publishing.session import Session
from publishing.tail import in_thread

logger = logging.getLogger(__name__)

BAD_FRAME, NO_KEY, NO_SCOPE, NO_AUTH_IN_TIME, SLOW, TOO_MANY = 4400, 4401, 4403, 4408, 4410, 4429
TOO_BIG, FAILED, RESTART, TRY_LATER = 1009, 1011, 1012, 1013
REASONS = {
    BAD_FRAME: "binary, or too many messages that could not be acted on",
    NO_KEY: "the key is unknown, expired or revoked",
    NO_SCOPE: "the key may not read decisions",
    NO_AUTH_IN_TIME: "nobody said who this is",
    SLOW: "frames were not read in time; resume with since",
    TOO_MANY: "too many connections, or too many that failed",
    TOO_BIG: "the message is too long",
    FAILED: "the stream cannot be served",
    TRY_LATER: "not available just now; try again later",
}

AUTH_WITHIN_S = 5.0
READY_WITHIN_S = 5.0
FAREWELL_S = 1.0
LARGEST_MESSAGE = 16_384
MOST_ERRORS, ERROR_SPAN_S = 10, 60.0


class DecisionConsumer(AsyncWebsocketConsumer):
    """One socket: says who it is, then has a session."""

    # No channel of its own: the process has one tail and one listener for all.
    channel_layer_alias = "none"

    def __init__(self) -> None:
        super().__init__()
        self.credential: Credential | None = None
        self.silent: str | None = None
        self._hub = hub()
        self._session: Session | None = None
        self._too_late: asyncio.TimerHandle | None = None
        self._errand: asyncio.Task[None] | None = None
        self._errors: deque[float] = deque(maxlen=MOST_ERRORS)
        self.closed = False

    @property
    def caller(self) -> Caller | None:
        """Who was let in."""
        return None if self._session is None else self._session.caller

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:
            # The server is told to stop and cancels every application; the client should hear why, and the close must get out.
            with contextlib.suppress(TimeoutError):
                await self._say_farewell(receive)
            raise
        finally:
            if self._session is not None:
                await self._session.end()
            await self._hub.leave(self)

    async def connect(self) -> None:
        if not welcome_origin(self.scope, settings.ALLOWED_HOSTS):
            await self.close()
            return
        self._hub.join(self)
        self._outlet = Outlet(self.scope, self.send)
        await self.accept(SUBPROTOCOL if SUBPROTOCOL in self.scope["subprotocols"] else None)
        credential = presented(self.scope)
        if self._hub.crowded(peer_of(self.scope) if credential is None else None):
            await self._finish(TOO_MANY)
        elif credential is not None:
            await self._enter(credential)
        else:
            self.silent = peer_of(self.scope)
            self._too_late = asyncio.get_running_loop().call_later(AUTH_WITHIN_S, self._expire)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.closed:
            return
        if text_data is None:
            await self._turn_away(BAD_FRAME)
        elif len(text_data) > LARGEST_MESSAGE:
            await self._finish(TOO_BIG)
        else:
            await self._hear(text_data)

    async def recheck(self, caller: Caller | None) -> None:
        """The credential stands for this caller now; None when for nobody."""
        if self._session is None or self.closed:
            return
        if caller is None or not caller.may(Scope.DECISIONS_READ):
            await self._finish(NO_KEY if caller is None else NO_SCOPE)
        else:
            self._session.allow(caller)

    async def fail(self) -> None:
        """The process cannot serve the stream."""
        await self._finish(FAILED)

    async def _hear(self, text: str) -> None:
        try:
            await self._act(text)
        except SlowReaderError:
            await self._give_up()
        except RefusedError as refusal:
            await self._complain(refusal)
        except Error as error:
            logger.warning("a socket's request met a missing database", extra={"error": str(error)})
            await self._complain(RefusedError("unavailable", "the database does not answer; try again"))

    async def _act(self, text: str) -> None:
        operation = parse(text)
        if self._session is not None:
            await self._session.act(operation)
        elif isinstance(operation, Auth):
            await self._enter(Key(operation.key))
        else:
            raise RefusedError("invalid_op", "say who you are first")

    async def _enter(self, credential: Credential) -> None:
        self.silent = None
        if self._too_late is not None:
            self._too_late.cancel()
        try:
            caller = await in_thread(credential.caller)
            async with asyncio.timeout(READY_WITHIN_S):
                await self._hub.tail.ready.wait()
        except (Error, TimeoutError):
            await self._finish(TRY_LATER)
            return
        if caller is None:
            await self._turn_away(NO_KEY)
        elif not caller.may(Scope.DECISIONS_READ):
            await self._finish(NO_SCOPE)
        elif self._hub.full:
            await self._finish(TOO_MANY)
        else:
            self.credential = credential
            await self._welcome(caller)

    async def _welcome(self, caller: Caller) -> None:
        if self.closed:
            return
        self._session = Session(self._hub, caller, self._outlet, self._broken)
        log = self._hub.tail.log
        heartbeat = settings.LENS.heartbeat_s
        await self._outlet.send(Welcome(conn_id=uuid7(), epoch=log.epoch, head_seq=log.head, heartbeat_s=heartbeat).text())

    def _broken(self, error: BaseException | None) -> None:
        if isinstance(error, SlowReaderError):
            self._soon(self._give_up())
        else:
            logger.error("a subscription broke", exc_info=error)
            self._soon(self.fail())

    async def _give_up(self) -> None:
        """The client does not read; it may come back and go on where it stopped."""
        if not self.closed:
            telemetry.ws_slow_closed.inc()
        await self._finish(SLOW)

    async def _complain(self, refusal: RefusedError) -> None:
        if self.closed:
            return
        try:
            await self._outlet.send(Complaint(code=refusal.code, message=refusal.message).text())
        except SlowReaderError:
            await self._give_up()
        self._errors.append(time.monotonic())
        if len(self._errors) == MOST_ERRORS and self._errors[-1] - self._errors[0] < ERROR_SPAN_S:
            await self._turn_away(BAD_FRAME)

    def _expire(self) -> None:
        self._soon(self._turn_away(NO_AUTH_IN_TIME))

    async def _turn_away(self, code: int) -> None:
        """Counted against the peer, as a failed request is; beyond its cap it hears that instead."""
        try:
            await in_thread(watch, peer_of(self.scope))
        except Problem:
            code = TOO_MANY
        await self._finish(code)

    async def _finish(self, code: int, reason: str | None = None) -> None:
        """Say why and close. The place of a durable reader is kept as the socket ends: nobody waits for the database here."""
        if not self.closed:
            self.closed = True
            if self._session is not None:
                await self._session.hush()
            await self.close(code, reason or REASONS[code])

    async def _say_farewell(self, receive: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        if not self.closed:
            await self._finish(RESTART, f"restart; reconnect_ms={self._hub.pause_ms()}")
            async with asyncio.timeout(FAREWELL_S):
                while (await receive())["type"] != "websocket.disconnect":
                    pass

    def _soon(self, errand: Coroutine[Any, Any, None]) -> None:
        """Do it outside the callback that asks; kept, for a task that nobody holds may vanish."""
        self._errand = asyncio.create_task(errand)


class NoSuchSocket(AsyncWebsocketConsumer):
    """Any other address: refused in the handshake."""

    channel_layer_alias = "none"

    async def connect(self) -> None:
        await self.close()
