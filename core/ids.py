"""Identifiers: UUIDv7, so that rows written together lie together and an id tells its time."""

from uuid import UUID

import uuid_utils


def uuid7() -> UUID:
    """A new time-ordered identifier (RFC 9562)."""
    return UUID(int=uuid_utils.uuid7().int)
