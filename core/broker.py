"""What waits in the broker: the length of each queue, asked of Redis itself."""

from django.conf import settings
from redis import Redis, RedisError

QUEUES = ("enrich", "evaluate", "publish", "control")

_redis = Redis.from_url(settings.CELERY_BROKER_URL, socket_timeout=2, socket_connect_timeout=2)


def queue_depths() -> dict[str, int] | None:
    """Messages waiting by queue; None when the broker is away. One round trip."""
    try:
        with _redis.pipeline(transaction=False) as pipe:
            for queue in QUEUES:
                pipe.llen(queue)
            return dict(zip(QUEUES, pipe.execute(), strict=True))
    except RedisError:
        return None
