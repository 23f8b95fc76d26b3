"""Time: aware UTC only, RFC 3339 with milliseconds on the way out.

Leases, deadlines and retries use the database's clock (`django.db.models.functions.Now`), so a worker with a wrong clock changes
nothing; `now()` is for what a process itself observes.
"""

from datetime import UTC, datetime, timedelta

ZERO = timedelta(0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def now() -> datetime:
    """This process's wall clock, aware, UTC."""
    return datetime.now(UTC)


def seconds(value: float) -> timedelta:
    """A duration of so many seconds."""
    return timedelta(seconds=value)


def from_ms(value: int) -> datetime:
    """An instant from milliseconds since the epoch, as exchanges send it."""
    return datetime.fromtimestamp(value / 1000, UTC)


def to_ms(value: datetime) -> int:
    """Whole milliseconds since the epoch; what has not quite passed does not count."""
    return (value - _EPOCH) // _MS


def iso(value: datetime) -> str:
    """`2026-01-05T09:00:04.510Z`."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_or_none(value: datetime | None) -> str | None:
    """The same, where the instant may be missing."""
    return None if value is None else iso(value)


def parse_zoned(text: str) -> datetime:
    """An instant from RFC 3339 text. Raises ValueError for other forms and for text without a zone."""
    instant = datetime.fromisoformat(text)
    if "T" not in text.upper() or instant.tzinfo is None:
        raise ValueError("a date, a time and a zone are required")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies outside the calendar") from error
