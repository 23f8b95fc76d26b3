"""What waits in the broker: the length of each queue, asked of the broker itself."""

import threading
from collections.abc import Callable
from typing import Any

from django.conf import settings
from kombu import Connection
from redis import Redis, RedisError

QUEUES = ("enrich", "evaluate", "publish", "control")
PATIENCE_S = 2.0

Depths = dict[str, int]


def queue_depths() -> Depths | None:
    """Messages waiting by queue; None when the broker is away. One round trip to a Redis."""
    return _ask()


class RedisQueues:
    """Each queue is a list."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S)

    def ask(self) -> Depths | None:
        """As `queue_depths`."""
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for queue in QUEUES:
                    pipe.llen(queue)
                return dict(zip(QUEUES, pipe.execute(), strict=True))
        except RedisError:
            return None


class DeclaredQueues:
    """Any other broker says how long a queue is when it is declared passively. One connection, kept from question to question."""

    def __init__(self, url: str) -> None:
        self._connection: Any = Connection(url, connect_timeout=PATIENCE_S)
        self._lock = threading.Lock()

    def ask(self) -> Depths | None:
        """As `queue_depths`."""
        with self._lock:
            try:
                if not self._connection.connected:
                    self._connection.connect()
                return {queue: self._waiting(queue) for queue in QUEUES}
            except (OSError, *self._connection.connection_errors):
                self._connection.close()
                return None

    def _waiting(self, queue: str) -> int:
        """A queue that nobody has listened to yet does not exist, and holds nothing. The refusal ends the channel."""
        channel = self._connection.channel()
        try:
            return int(channel.queue_declare(queue, passive=True).message_count)
        except self._connection.channel_errors:
            return 0
        finally:
            self._connection.maybe_close_channel(channel)


_queues = RedisQueues if settings.CELERY_BROKER_URL.startswith("redis") else DeclaredQueues
_ask: Callable[[], Depths | None] = _queues(settings.CELERY_BROKER_URL).ask
