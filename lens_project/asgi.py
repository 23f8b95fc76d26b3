"""Sockets, and everything else too: one port is possible. REST and pages usually run under wsgi.py, at a third of the cost."""

import os
from typing import Any

from channels.routing import ProtocolTypeRouter
from daphne.cli import CommandLineInterface
from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lens_project.settings.local")
http = get_asgi_application()

# Models can be imported only once Django is set up, which the line above does.
from publishing.routing import sockets  # noqa: E402


class PlainSpokenProtocol(WebSocketProtocol):  # type: ignore[misc]  # daphne has no types
    """Says why it closes. The method below is guarded against codes 1001–2999, where "restart" and "try later" are."""

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802  daphne's name
        if code is not None and 1000 < code < 3000:
            self.sendCloseFrame(code=code, isReply=False)
        else:
            super().serverClose(code)


class SureStop(Server):  # type: ignore[misc]
    """Stops its applications also in the second after a handshake, when the upgraded request still stands listed without one."""

    def kill_all_applications(self) -> Any:
        served = {one: facts for one, facts in self.connections.items() if "application_instance" in facts}
        self.connections: dict[Any, Any] = served
        return super().kill_all_applications()


WebSocketFactory.protocol = PlainSpokenProtocol
CommandLineInterface.server_class = SureStop
application = ProtocolTypeRouter({"http": http, "websocket": sockets})
