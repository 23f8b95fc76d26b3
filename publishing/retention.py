"""What the log lets go of. Always its oldest part, so that what is kept has no gap and the horizon says all."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from core.clock import now

CHUNK = 1_000

# Of the oldest frames, those before the first that is to stay.
_PRUNE = """
WITH oldest AS (SELECT seq, created_at FROM publishing_frame ORDER BY seq LIMIT %(chunk)s)
DELETE FROM publishing_frame
 WHERE seq <= (SELECT max(seq) FROM oldest)
   AND seq < COALESCE((SELECT min(seq) FROM oldest WHERE created_at >= %(before)s), %(beyond)s)
"""
_BEYOND = 2**63 - 1


def expiry() -> datetime:
    """Frames from before this instant are no longer kept."""
    return now() - timedelta(days=settings.LENS.stream_retention_days)


def prune(before: datetime, chunk: int = CHUNK) -> int:
    """Delete the frames from before an instant, a chunk to a transaction; how many.

    Publishers and readers go on meanwhile; whoever wants what is gone hears `before_retention`. The places of durable consumers
    stay, however old: a reader whose place was forgotten would begin at the head and be told of no gap.
    """
    total = 0
    while count := _chunk(before, chunk):
        total += count
    return total


def _chunk(before: datetime, chunk: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_PRUNE, {"before": before, "chunk": chunk, "beyond": _BEYOND})
        return int(cursor.rowcount)
