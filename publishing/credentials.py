"""Who opens a socket: a key, a person with a session, or a trusted peer. Each can be asked again while the socket is open."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.db import SessionStore
from django.http.request import validate_host

from access.authentication import key_text, trusted_peer
from access.models import Scope
from access.peers import peer_address
from access.services import Caller, authenticate

SUBPROTOCOL = "lens.v1"
_KEY_SUBPROTOCOL = "lens.key."


class Credential(Protocol):
    """What was shown at the door. Equal ones are asked about once for all their sockets."""

    def caller(self) -> Caller | None:
        """Who that is now, or None when it no longer opens the door. Blocking."""


@dataclass(frozen=True)
class Key:
    """An API key's text."""

    text: str

    def caller(self) -> Caller | None:
        return authenticate(self.text)

    def __repr__(self) -> str:
        return "Key(…)"


@dataclass(frozen=True)
class Person:
    """A member of staff with a Django session, for as long as that session is: logging out or a new password ends it."""

    user_id: int
    session_key: str

    def caller(self) -> Caller | None:
        person = get_user_model().objects.filter(pk=self.user_id, is_active=True, is_staff=True).first()
        if person is None or not self._logged_in(person):
            return None
        return Caller(f"user:{person.pk}", person.get_username(), frozenset({Scope.DECISIONS_READ.value}))

    def _logged_in(self, person: AbstractBaseUser) -> bool:
        """As `django.contrib.auth.get_user` decides, without renewing the session: no browser would hear of its new key."""
        kept = SessionStore(self.session_key).load()
        hashes = [person.get_session_auth_hash(), *person.get_session_auth_fallback_hash()]
        return kept.get(SESSION_KEY) == str(person.pk) and kept.get(HASH_SESSION_KEY) in hashes

    def __repr__(self) -> str:
        return f"Person({self.user_id})"


@dataclass(frozen=True)
class Peer:
    """A network address that may be trusted by itself."""

    address: str

    def caller(self) -> Caller | None:
        return trusted_peer(self.address)


def presented(scope: Mapping[str, Any]) -> Credential | None:
    """What an ASGI websocket scope shows: a key wins, then a browser's session, then the peer's address.

    Cookies count only where the browser says which page opened the socket (and the door has looked at that Origin).
    """
    headers = dict(scope["headers"])
    text = key_text(_text(headers, b"x-api-key"), _text(headers, b"authorization")) or _from_subprotocol(scope["subprotocols"])
    if text is not None:
        return Key(text)
    user = scope.get("user")
    if b"origin" in headers and user is not None and user.is_authenticated:
        return Person(user.pk, scope["session"].session_key)
    peer = Peer(peer_of(scope))
    return peer if peer.caller() else None


def peer_of(scope: Mapping[str, Any]) -> str:
    """The network address a websocket scope comes from."""
    return peer_address((scope.get("client") or [""])[0], _forwarded_for(scope["headers"]))


def _forwarded_for(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The header may come several times; together they are one list."""
    return ",".join(value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for")


def welcome_origin(scope: Mapping[str, Any], hosts: list[str]) -> bool:
    """Whether the page that opens the socket is one of ours, by host. Clients that are no browsers send no Origin."""
    origin = _text(dict(scope["headers"]), b"origin")
    return origin is None or validate_host(_host(origin), hosts)


def _host(origin: str) -> str:
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:
        return ""
    return f"[{host}]" if ":" in host else host


def _from_subprotocol(offered: Iterable[str]) -> str | None:
    keys = [name.removeprefix(_KEY_SUBPROTOCOL) for name in offered if name.startswith(_KEY_SUBPROTOCOL)]
    return keys[0] if keys else None


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    return headers[name].decode("latin-1") if name in headers else None
