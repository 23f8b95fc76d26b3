"""What a browser may do with our answers: one Content-Security-Policy for each kind of page, none of which runs inline script.

Django 6.0 brings a middleware for one policy; here there are four, told apart by the address. A view that sets the header itself
keeps its own.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port

HEADER = "Content-Security-Policy"
_CLOSED = "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
_OWN = f"default-src 'self'; img-src 'self' data:; {_CLOSED}"
# Pages: everything from here, and the sockets. No inline script, no inline style, no eval.
STRICT = f"{_OWN}; connect-src 'self' {{sockets}}"
# The admin's theme is built on Alpine, which compiles the expressions in its own attributes, and sets styles in attributes.
ADMIN = f"{_OWN}; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; connect-src 'self'"
# The two readers of the API's description style themselves, and search in a worker they make themselves.
DOCS = f"{_OWN}; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; connect-src 'self'"
DATA = f"default-src 'none'; {_CLOSED}"
_BY_PREFIX = (("/admin/", ADMIN), ("/api/docs/", DOCS), ("/api/redoc/", DOCS), ("/api/", DATA))


class ContentPolicyMiddleware:
    """Puts the policy on every answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault(HEADER, policy_for(request))
        return response


def policy_for(request: HttpRequest) -> str:
    """The policy of the page at this address."""
    found = next((policy for prefix, policy in _BY_PREFIX if request.path.startswith(prefix)), STRICT)
    return found.format(sockets=" ".join(socket_origins(request))) if found is STRICT else found


def socket_origins(request: HttpRequest) -> list[str]:
    """Where this installation's sockets listen, by the name the browser knows us by; what is no host name gets none."""
    host, _ = split_domain_port(request.META.get("HTTP_HOST", ""))
    scheme = "wss" if request.is_secure() else "ws"
    ports = range(settings.LENS.ws_port, settings.LENS.ws_port + settings.LENS.ws_processes)
    return [f"{scheme}://{host}:{port}" for port in ports] if host else []
