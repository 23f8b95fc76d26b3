"""Kombu's Redis transport with one client per channel.

Kombu makes a new redis-py client for every acknowledgement and every send; building its table of reply parsers cost a tenth of a
worker's CPU. A client is safe to share between threads and takes its connections from the same pool either way.
"""

from functools import cached_property
from typing import Any

from kombu.transport import redis


class Channel(redis.Channel):
    """Reuses its client for everything but the asynchronous reads, which keep a connection of their own."""

    @cached_property
    def _shared(self) -> Any:
        return super()._create_client()  # type: ignore[misc]  # the stubs leave it out

    def _create_client(self, asynchronous: bool = False) -> Any:
        return super()._create_client(asynchronous=True) if asynchronous else self._shared  # type: ignore[misc]


class Transport(redis.Transport):
    """What `CELERY_BROKER_TRANSPORT` names."""

    Channel = Channel
