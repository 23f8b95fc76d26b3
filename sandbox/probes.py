"""Is it ready? Small questions to a process that was just started, each answered yes or no within a second or two."""

import http.client
import socket
from collections.abc import Callable

Probe = Callable[[], bool]
PROBE_TIMEOUT_S = 2.0


def running() -> bool:
    """For a process whose readiness nobody waits for."""
    return True


def listens(host: str, port: int) -> Probe:
    """Ready when the port takes a connection."""

    def probe() -> bool:
        try:
            socket.create_connection((host, port), timeout=PROBE_TIMEOUT_S).close()
        except OSError:
            return False
        return True

    return probe


def answers(host: str, port: int, path: str) -> Probe:
    """Ready when `GET path` is answered with 200."""
    return lambda: status(host, port, path) == http.HTTPStatus.OK


def status(host: str, port: int, path: str) -> int | None:
    """The HTTP status of `GET path`, None when there is no answer."""
    connection = http.client.HTTPConnection(host, port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
