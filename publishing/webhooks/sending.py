"""One signed post: fifteen seconds for everything, no redirects, no proxy, no retries, little of the answer kept.

What is not a 2xx is an error that says what happened; what follows from it is decided in `outcomes`.
"""

import asyncio
import functools
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpcore2
import httpx2

from core.errors import Permanent, Transient
from core.http import wait_wished
from publishing.webhooks.targets import Networks, Resolve, admit, resolve

DEADLINE_S = 15.0
KEPT_BYTES = 1_000
GONE, BUSY = 410, (429, 503)

# The system's resolver blocks and cannot be told a deadline; slow names must not hold up the others.
_resolvers = ThreadPoolExecutor(max_workers=32, thread_name_prefix="resolve")


@dataclass(frozen=True)
class Answer:
    """What a destination said to a post that it took."""

    status: int
    duration_ms: int
    excerpt: str


class _GuardedBackend(httpcore2.AnyIOBackend):
    """Connects to addresses that were judged, and to nothing else. TLS and the Host header keep the name."""

    def __init__(self, find: Resolve, allowed: Networks, *, public: bool) -> None:
        self._find = find
        self._admit = functools.partial(admit, allowed=allowed, public=public)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        found = await asyncio.get_running_loop().run_in_executor(_resolvers, self._find, host, port)
        failure: httpcore2.ConnectError | httpcore2.ConnectTimeout = httpcore2.ConnectError("no address")
        for address in self._admit(found):
            try:
                return await super().connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        raise Transient("target_refused", "Sockets of this machine are no destination.")


class _GuardedTransport(httpx2.AsyncHTTPTransport):
    def __init__(self, backend: _GuardedBackend) -> None:
        super().__init__()
        # Without a bound on connections: each destination has its own, and one that hangs must not use up another's.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context(),
            max_connections=None,
            max_keepalive_connections=100,
            keepalive_expiry=30,
            network_backend=backend,
        )


def client(allowed: Networks, find: Resolve = resolve) -> httpx2.AsyncClient:
    """Plain http is spoken in the allowed networks alone, https with the whole public Internet too."""
    guarded = {
        "http://": _GuardedTransport(_GuardedBackend(find, allowed, public=False)),
        "https://": _GuardedTransport(_GuardedBackend(find, allowed, public=True)),
    }
    return httpx2.AsyncClient(mounts=guarded, timeout=DEADLINE_S, follow_redirects=False, trust_env=False)


async def post(through: httpx2.AsyncClient, url: str, headers: dict[str, str], body: str) -> Answer:
    """Raises Transient (timeout, unreachable, unknown_host, target_refused, http_error) and Permanent gone."""
    began = time.monotonic()
    sent = {"content-type": "application/json", "user-agent": "SigmaPilot-Lens/1", **headers}
    try:
        async with asyncio.timeout(DEADLINE_S), through.stream("POST", url, headers=sent, content=body.encode()) as response:
            excerpt = await _beginning(response)
    except (TimeoutError, httpx2.TimeoutException) as error:
        raise Transient("timeout", f"No whole answer within {DEADLINE_S:g} s.") from error
    except httpx2.InvalidURL as error:
        raise Transient("target_refused", f"Nothing can be sent to this address: {error}"[:200]) from error
    except httpx2.HTTPError as error:
        raise Transient("unreachable", f"{type(error).__name__}: {error}"[:200]) from error
    answer = Answer(response.status_code, round((time.monotonic() - began) * 1000), excerpt)
    if not response.is_success:
        raise _refusal(answer, response.headers)
    return answer


async def _beginning(response: httpx2.Response) -> str:
    """The first bytes, as they came: nothing is unpacked. PostgreSQL keeps no NUL."""
    kept = b""
    async for chunk in response.aiter_raw():
        kept += chunk
        if len(kept) >= KEPT_BYTES:
            break
    return kept[:KEPT_BYTES].decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _refusal(answer: Answer, headers: httpx2.Headers) -> Transient | Permanent:
    facts = {"status": answer.status, "duration_ms": answer.duration_ms, "excerpt": answer.excerpt}
    if answer.status == GONE:
        return Permanent("gone", "The destination answered 410 Gone.", **facts)
    wait = wait_wished(headers) if answer.status in BUSY else None
    return Transient("http_error", f"The destination answered {answer.status}.", retry_after=wait, **facts)
