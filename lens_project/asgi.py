"""Sockets, and everything else too: one port is possible. REST and pages usually run under wsgi.py, at a third of the cost."""

import gc
import os

from channels.routing import ProtocolTypeRouter
from daphne.cli import CommandLineInterface
from daphne.ws_protocol import WebSocketFactory
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lens_project.settings.local")
http = get_asgi_application()

# Models can be imported only once Django is set up, which the line above does.
from lens_project.sockets import FlowProtocol, FlowServer  # noqa: E402
from publishing.routing import sockets  # noqa: E402

WebSocketFactory.protocol = FlowProtocol
CommandLineInterface.server_class = FlowServer
application = ProtocolTypeRouter({"http": http, "websocket": sockets})

# What is loaded now stays: looking through it again and again is what made the collector stop a thousand sockets.
gc.collect()
gc.freeze()
