"""`POST /hooks/{kind}/{token}`: the secret in the address is the key, the body is whatever the sender can send."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from access.models import Scope
from access.peers import peer_of
from access.services import Caller
from access.throttling import watch
from access.views import WatchedView
from access.windows import INHERITED
from core.problem import Problem
from signals.api import accepted, idempotency_key
from signals.hooks.services import delivery, heard, may_come_from, reject
from signals.hooks.tokens import hook_behind
from signals.intake import leave_to_the_sweep, take
from signals.models import HookSource

logger = logging.getLogger(__name__)


class HookView(WatchedView):
    """Answers as `POST /signals` does, well within the three seconds TradingView waits."""

    authentication_classes = []
    permission_classes = []
    start: Callable[[str], None] = staticmethod(leave_to_the_sweep)

    def post(self, request: Request, kind: str, token: str) -> Response:
        """201 with the new event, 200 for a repeated delivery, 400 with a hint; the content type is not looked at."""
        hook = self._open(request, kind, token)
        raw: bytes = request.body
        heard(hook)
        try:
            taken = take(delivery(hook, raw, partial(idempotency_key, request)), INHERITED, self.start)
        except Problem as refused:
            # Such senders do not repeat what was answered 4xx: the inbox is where a refused alert can still be found.
            reject(hook, raw, request.headers.get("Content-Type", ""), str(refused.detail))
            raise
        return accepted(taken)

    def _open(self, request: Request, kind: str, token: str) -> HookSource:
        """The hook behind the address; from here on the request is its caller's. Guessing at addresses is counted by peer."""
        hook, peer = hook_behind(kind, token), peer_of(request)
        if hook is None:
            watch(peer)
            raise Problem("not_found", "There is no such hook, or it was revoked.")
        if not may_come_from(hook, peer):
            logger.warning("a hook's message came from an address it does not take", extra={"hook": hook.name, "peer": peer})
            raise Problem("forbidden", "This hook takes no messages from your address.")
        caller: Any = Caller(f"hook:{hook.pk}", hook.name, frozenset({Scope.SIGNALS_WRITE.value}))
        request.user = caller
        return hook

    def handle_exception(self, exc: Exception) -> Response:
        """A problem as everywhere, without the secret: answers end up in senders' alert logs."""
        response: Any = super().handle_exception(exc)
        response.data["instance"] = f"/hooks/{self.kwargs['kind']}/…"
        return response  # type: ignore[no-any-return]
