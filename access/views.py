"""What views share about who asks: the caller behind a request, and the watch over invalid bodies from outside."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.peers import peer_of
from access.services import Caller
from access.throttling import exempt, watch
from core.problem import Problem, code_of

INVALID = {"validation_error", "malformed_json", "payload_too_large", "unsupported_media_type", "idempotency_key_reused"}


def caller_of(request: Request) -> Caller:
    """Who asks. Raises Problem unauthenticated."""
    caller: Any = request.user
    if not isinstance(caller, Caller):
        raise Problem("unauthenticated", "A key is required.")
    return caller


class WatchedView(APIView):
    """Counts invalid requests by peer: too many, and the answer is 429 instead. Exempt callers are not counted."""

    def handle_exception(self, exc: Exception) -> Response:
        """DRF's hook, called for whatever a handler raised."""
        caller: Any = self.request.user if code_of(exc) in INVALID else None
        if isinstance(caller, Caller) and not exempt(caller.limits):
            try:
                watch(peer_of(self.request))
            except Problem as refusal:
                return super().handle_exception(refusal)
        return super().handle_exception(exc)
