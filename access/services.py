"""Making, checking and revoking keys. One mechanism for HTTP and WebSocket."""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.db.models.functions import Now

from access.models import ApiKey, Scope

TAG = "lens"
# A revocation is seen everywhere within a second: sockets look again every quarter of one.
CACHE_S = 0.7
_USED_EVERY_S = 60.0


@dataclass(frozen=True)
class Caller:
    """Who is asking: a key, or a trusted network peer. Empty `allowed_sources` means all."""

    id: str
    name: str
    scopes: frozenset[str]
    allowed_sources: frozenset[str] = frozenset()

    def may(self, scope: str) -> bool:
        """Whether the scope is held; admin implies every other."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def sees(self, source: str) -> bool:
        """Whether signals of that source are this caller's business."""
        return not self.allowed_sources or source in self.allowed_sources

    @property
    def is_authenticated(self) -> bool:
        """What Django's permission code asks of a user."""
        return True


def create_key(
    name: str, scopes: Iterable[str], *, allowed_sources: Iterable[str] = (), expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """A new key and its text, which is never seen again. Raises ValueError for an unknown scope."""
    wanted = list(scopes)
    if not wanted or (strangers := set(wanted) - set(Scope.values)):
        raise ValueError(f"unknown scope {', '.join(sorted(strangers))}" if wanted else "a key needs at least one scope")
    prefix = secrets.token_hex(4)
    text = f"{TAG}_{prefix}_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        name=name,
        prefix=prefix,
        key_hash=_hash(text),
        scopes=wanted,
        allowed_sources=list(allowed_sources),
        expires_at=expires_at,
    )
    return key, text


def revoke_key(key_id: str) -> bool:
    """Effective within a second on every process, open sockets included."""
    return ApiKey.objects.filter(pk=key_id, revoked_at__isnull=True).update(revoked_at=Now()) == 1


class _Recent:
    """Answers of the last second, so that a busy key costs one query a second and a revoked one lives no longer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[float, Caller | None]] = {}

    def get(self, digest: str) -> tuple[bool, Caller | None]:
        with self._lock:
            at, caller = self._answers.get(digest, (0.0, None))
        return time.monotonic() - at < CACHE_S and at > 0, caller

    def put(self, digest: str, caller: Caller | None) -> None:
        with self._lock:
            if len(self._answers) > 10_000:
                self._answers.clear()
            self._answers[digest] = (time.monotonic(), caller)


_recent = _Recent()


def authenticate(text: str) -> Caller | None:
    """The caller behind a key's text, or None when it is unknown, expired or revoked. At most 0.7 s old."""
    digest = _hash(text)
    fresh, caller = _recent.get(digest)
    if not fresh:
        caller = _look_up(text, digest)
        _recent.put(digest, caller)
    return caller


def _look_up(text: str, digest: str) -> Caller | None:
    tag, _, rest = text.partition("_")
    prefix = rest.partition("_")[0]
    if tag != TAG or not (key := _live(prefix)) or not hmac.compare_digest(key.key_hash, digest):
        return None
    _touch(key)
    return Caller(f"key:{key.pk}", key.name, frozenset(key.scopes), frozenset(key.allowed_sources))


def _live(prefix: str) -> ApiKey | None:
    unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=Now())
    return ApiKey.objects.filter(unexpired, prefix=prefix[:8], revoked_at__isnull=True).first()


def _touch(key: ApiKey) -> None:
    """Last use, to the minute: a write a minute, not one a request."""
    if key.last_used_at is None or time.time() - key.last_used_at.timestamp() > _USED_EVERY_S:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=Now())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
