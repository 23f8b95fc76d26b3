"""The door: a key in a header, or a peer inside a trusted network; then the scope the view asks for.

Whoever fails here often enough is told 429 instead; a caller with a good key is never held up by what its neighbours do.
"""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from access.models import Scope
from access.peers import parse_address, peer_of
from access.services import Caller, authenticate
from access.throttling import watch

if TYPE_CHECKING:  # DRF imports this module while it builds its views
    from rest_framework.views import APIView

PEER_SCOPES = frozenset(Scope.values) - {Scope.ADMIN.value}


class ApiKeyAuthentication(BaseAuthentication):
    """`X-API-Key: …` or `Authorization: Bearer …`; without either, the peer may be trusted."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        text = key_text(request.headers.get("X-API-Key"), request.headers.get("Authorization"))
        if text is None:
            peer = trusted_peer(peer_of(request))
            return None if peer is None else (peer, None)
        caller = authenticate(text)
        if caller is None:
            watch(peer_of(request))
            raise AuthenticationFailed("The key is unknown, expired or revoked.")
        return caller, None

    def authenticate_header(self, request: Request) -> str:
        return "ApiKey"


class HasScope(BasePermission):
    """The view names its scope in `required_scope`; a view that names none is closed to everyone."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        caller: Any = request.user
        if not isinstance(caller, Caller):
            watch(peer_of(request))
            return False
        scope: str | None = getattr(view, "required_scope", None)
        return scope is not None and caller.may(scope)


def key_text(api_key: str | None, authorization: str | None) -> str | None:
    """The key's text from the two headers it may come in."""
    if api_key:
        return api_key.strip()
    kind, _, rest = (authorization or "").partition(" ")
    return rest.strip() if kind.lower() == "bearer" and rest.strip() else None


def trusted_peer(address: str) -> Caller | None:
    """A caller for a peer inside `LENS_TRUSTED_NETWORKS`: every scope but admin."""
    peer = parse_address(address)
    if peer is not None and any(peer in network for network in settings.LENS.trusted_networks):
        return Caller(f"peer:{peer}", f"trusted peer {peer}", PEER_SCOPES)
    return None
