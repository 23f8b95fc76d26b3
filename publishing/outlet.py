"""The way out of one socket: at once where the server can, else as fast as the client reads, and never longer than patience lasts.

Nothing is queued here. Whoever sends waits, and whoever waits reads no further.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings

Send = Callable[[str], Awaitable[None]]
Push = Callable[[bytes], bool]


class SlowReaderError(Exception):
    """The client does not read what it asked for."""


class Outlet:
    """`send` is ASGI's; `push` the server's extension, where it has one."""

    def __init__(self, scope: Mapping[str, Any], send: Send) -> None:
        self._send = send
        self._push: Push = scope.get("extensions", {}).get("lens.push", _never)

    def push(self, text: str) -> bool:
        """Send now; False when that is not possible, and nothing was sent."""
        return self._push(text.encode())

    async def send(self, text: str) -> None:
        """Send when there is room. Raises SlowReaderError."""
        if self.push(text):
            return
        try:
            async with asyncio.timeout(settings.LENS.ws_patience_s):
                await self._send(text)
        except TimeoutError as error:
            raise SlowReaderError from error


def _never(_: bytes) -> bool:
    return False
