"""One byte form for a JSON value, and its SHA-256: what is hashed is what is stored is what is sent."""

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from core.clock import iso
from core.money import plain


def canonical(value: Any) -> str:
    """Sorted keys, no spaces, decimals and times as text. Raises ValueError on NaN and infinity, TypeError on unknown types."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_as_text)


def digest(text: str) -> str:
    """SHA-256 of the UTF-8 bytes, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _as_text(value: object) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")
