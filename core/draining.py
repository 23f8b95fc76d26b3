"""A request that is answered before its body was read leaves the rest of it on the line.

The server can only close such a connection, and the sender's next request, already on its way, is cut off with it: a good signal
behind a bad one would end without an answer.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# Less than this has arrived with the head of the request. More than that is not worth the reading: let the connection close.
LITTLE, MOST = 8_192, 1_048_576
PIECE = 65_536


class DrainingMiddleware:
    """Reads what is left of a large body that was refused, up to 1 MiB, and keeps none of it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code >= 400 and LITTLE < _length(request) <= MOST:
            while request.read(PIECE):
                pass
        return response


def _length(request: HttpRequest) -> int:
    stated = request.META.get("CONTENT_LENGTH") or ""
    return int(stated) if stated.isdecimal() else 0
