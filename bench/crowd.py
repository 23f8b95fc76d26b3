"""Many sockets in one process at little cost: frames are cut out of the bytes, and only what is measured is looked at.

A library's client spends several times what the server does; with a thousand of them a bench would measure itself.
"""

import asyncio
import json
import os
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

STAMP = b'"published_at": "'
STAMP_LENGTH = 24
OPCODE_TEXT, OPCODE_CLOSE = 1, 8


class Member(asyncio.Protocol):
    """One socket: shakes hands, subscribes, then hands each text frame to `heard`."""

    def __init__(self, key: str, address: str, heard: Callable[["Member", bytes], None]) -> None:
        self.welcomed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.transport: Any = None
        self._heard = heard
        self._buffer = b""
        self._open = False
        self._request = (
            f"GET /ws/decisions HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\nX-API-Key: {key}\r\n\r\n"
        )

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self._request.encode())

    def say(self, **message: Any) -> None:
        """A masked text frame, as clients must send."""
        body, mask = json.dumps(message).encode(), os.urandom(4)
        size = bytes([0x80 | len(body)]) if len(body) < 126 else bytes([0xFE]) + len(body).to_bytes(2, "big")
        self.transport.write(bytes([0x81]) + size + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(body)))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            assert b" 101 " in head, head
            self._open, self._buffer = True, rest
        self._cut()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(1006)

    def _cut(self) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            size, body = buffer[at + 1] & 127, at + 2
            if size == 126:
                size, body = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            if len(buffer) < body + size:
                break
            self._hear(buffer[at] & 15, buffer[body : body + size])
            at = body + size
        self._buffer = buffer[at:]

    def _hear(self, opcode: int, body: bytes) -> None:
        if opcode == OPCODE_TEXT:
            if not self.welcomed.done():
                self.welcomed.set_result(None)
            elif not self.subscribed.done():
                self.subscribed.set_result(None)
            else:
                self._heard(self, body)
        elif opcode == OPCODE_CLOSE and not self.closed.done():
            self.closed.set_result(int.from_bytes(body[:2], "big"))


class Crowd:
    """So many sockets on one address; what each frame's way took, and how many frames came."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.waits: list[float] = []
        self.count = 0

    async def grow(self, url: str, key: str, size: int, **subscription: Any) -> None:
        """Open them, thirty at a time, each welcomed and subscribed."""
        place = urlsplit(url)
        host, port = place.hostname or "", place.port or 80
        loop = asyncio.get_running_loop()
        while (left := size - len(self.members)) > 0:
            made = await asyncio.gather(
                *(loop.create_connection(lambda: Member(key, place.netloc, self._note), host, port) for _ in range(min(left, 30)))
            )
            members = [member for _, member in made]
            await asyncio.gather(*(member.welcomed for member in members))
            for member in members:
                member.say(op="subscribe", **subscription)
            await asyncio.gather(*(member.subscribed for member in members))
            self.members += members

    async def heard(self, total: int, within: float) -> bool:
        """Whether so many frames came in time."""
        ends = time.monotonic() + within
        while self.count < total and time.monotonic() < ends:
            await asyncio.sleep(0.01)
        return self.count >= total

    def forget(self) -> None:
        """Count anew."""
        self.waits.clear()
        self.count = 0

    def leave(self) -> None:
        """Hang up, all of them."""
        for member in self.members:
            member.transport.abort()
        self.members.clear()

    def _note(self, _: Member, frame: bytes) -> None:
        at = frame.find(STAMP)
        if at > 0:
            self.count += 1
            published = datetime.fromisoformat(frame[at + len(STAMP) : at + len(STAMP) + STAMP_LENGTH].decode())
            self.waits.append(time.time() - published.timestamp())
