"""daphne, taught to say why it closes, to wait for a client that reads slowly, and to send at once what nothing stands before.

Of itself it writes into a buffer without a bound, drops the connection where it should say 1009, and sends through twenty calls and
two turns of the event loop. The application sees the ordinary ASGI messages; `send` takes as long as the client's reading does.
One extension stands beside them, `scope["extensions"]["lens.push"]`: `push(payload) -> bool`, a text message now or not at all.
"""

import asyncio
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any

from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet.tcp import Connection

# Bytes the kernel may hold for a client; of itself it would grow to megabytes before anybody noticed that nobody reads.
KERNEL_BUFFER = 131_072
# A client that was told to go has this long to read so far. The buffer is bounded meanwhile.
FAREWELL_S = 10.0
# Messages a client may have sent that the application has not taken; beyond that, nothing more is read from it.
MOST_WAITING, LOOK_AGAIN_S = 64, 0.05
TEXT, LONG, LONGER = 0x81, 126, 127


class FlowProtocol(WebSocketProtocol):  # type: ignore[misc]  # daphne has no types
    """One socket. To its transport it is the producer that is told when the buffer is full and when it is empty again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.room = asyncio.Event()
        self.room.set()
        self._plain = False

    def onOpen(self) -> None:  # noqa: N802  autobahn's names, here and below
        self.closeHandshakeTimeout = FAREWELL_S
        self.failByDrop = False
        # Until the upgrade the HTTP channel stood here.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        self._plain = isinstance(self.transport, Connection)
        if self._plain:
            self.transport.socket.setsockopt(SOL_SOCKET, SO_SNDBUF, KERNEL_BUFFER)
        super().onOpen()

    def pauseProducing(self) -> None:  # noqa: N802
        """The buffer is full."""
        self.room.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        """The buffer is empty. A transport that is to close has waited for this and must be told to go on."""
        self.room.set()
        if self.transport.disconnecting:
            self.transport.unregisterProducer()

    def stopProducing(self) -> None:  # noqa: N802
        """The connection is gone; nobody needs to wait for it."""
        self.room.set()

    def push(self, payload: bytes) -> bool:
        """Send a text message now; False when something waits before it, and nothing was sent."""
        transport = self.transport
        waiting = not self._plain or transport.dataBuffer or transport._tempDataLen  # noqa: SLF001  nothing public tells
        if waiting or self.state != self.STATE_OPEN:
            return False
        frame = _text_frame(payload)
        sent = transport.writeSomeData(frame)
        if not isinstance(sent, int):
            return False
        if sent < len(frame):
            transport.write(frame[sent:])
        return True

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803
        super().onMessage(payload, isBinary)
        if self.application_queue.qsize() == MOST_WAITING:
            self.transport.pauseProducing()
            self._read_on()

    def _read_on(self) -> None:
        if self.application_queue.qsize() < MOST_WAITING // 2:
            self.transport.resumeProducing()
        else:
            asyncio.get_running_loop().call_later(LOOK_AGAIN_S, self._read_on)

    def handle_reply(self, message: dict[str, Any]) -> None:
        """daphne's own knows no reasons, and refuses the codes 1001–2999, where "restart" and "try later" are."""
        if message["type"] == "websocket.close" and self.state == self.STATE_OPEN:
            reason = message.get("reason") or ""
            self.sendCloseFrame(code=message.get("code") or 1000, reasonUtf8=reason.encode()[:123], isReply=False)
        else:
            super().handle_reply(message)


class FlowServer(Server):  # type: ignore[misc]
    """Lets applications wait for their clients, and stops them surely."""

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """The scope says how to push."""
        if isinstance(protocol, FlowProtocol):
            scope["extensions"] = {"lens.push": protocol.push}
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """An application that sends waits until there is room."""
        if message["type"] == "websocket.send" and isinstance(protocol, FlowProtocol):
            await protocol.room.wait()
        await super().handle_reply(protocol, message)

    def kill_all_applications(self) -> Any:
        """Also in the second after a handshake, when the upgraded request still stands listed without an application."""
        served = {one: facts for one, facts in self.connections.items() if "application_instance" in facts}
        self.connections: dict[Any, Any] = served
        return super().kill_all_applications()


def _text_frame(payload: bytes) -> bytes:
    """RFC 6455: final, text, unmasked."""
    size = len(payload)
    if size < LONG:
        return bytes((TEXT, size)) + payload
    if size < 65_536:
        return bytes((TEXT, LONG)) + size.to_bytes(2, "big") + payload
    return bytes((TEXT, LONGER)) + size.to_bytes(8, "big") + payload
