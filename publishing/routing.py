"""The socket addresses. A session is looked up for browsers; the consumer decides what it is worth."""

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.urls import path, re_path

from publishing.consumers import DecisionConsumer, NoSuchSocket

# To the type checker `path` routes views alone.
decisions: Any = DecisionConsumer.as_asgi()
nothing: Any = NoSuchSocket.as_asgi()
addresses: list[Any] = [path("ws/decisions", decisions), path("api/v1/ws/stream", decisions), re_path("", nothing)]
sockets = AuthMiddlewareStack(URLRouter(addresses))
