"""One venue's `POST /info`: a request out, a whole answer back within its deadline, or the error it amounts to. Retries nothing.

| answer                          | becomes                                |
|---------------------------------|----------------------------------------|
| 429                             | Transient rate_limited, Retry-After    |
| 5xx, connection refused or cut  | Transient provider_down                |
| no whole answer within 4 s      | Transient timeout                      |
| 3xx, larger than 8 MB           | Transient bad_reply                    |
| other 4xx                       | Permanent provider_refused             |
"""

import hashlib
import time
from dataclasses import dataclass
from typing import Any

import httpx2

from core import telemetry
from core.clock import now
from core.errors import LensError, Permanent, Transient
from core.http import bounded_client, deadline, wait_wished
from enrichment.ports import Seen

CALL_S = 4.0
MOST_BYTES = 8_000_000

Query = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """The body of a 200 answer, and when it was asked for and here."""

    body: bytes
    seen: Seen


class Line:
    """Connections to one venue, kept open between requests and shared by all threads."""

    def __init__(self, name: str, base_url: str) -> None:
        self.name = name
        self._url = f"{base_url.rstrip('/')}/info"
        self._client = bounded_client(timeout=CALL_S)

    def ask(self, query: Query) -> Reply:
        """The venue's answer to `query`, its `type` being the endpoint. Raises what the table above says."""
        started, as_of = time.perf_counter(), now()
        outcome = "unreachable"
        try:
            with deadline(CALL_S), self._client.stream("POST", self._url, json=query) as response:
                outcome = str(response.status_code)
                if response.status_code != httpx2.codes.OK:
                    raise refusal(self.name, response)
                body = self._bounded(response, query["type"])
        except httpx2.TimeoutException as error:
            outcome = "timeout"
            raise Transient("timeout", f"{self.name} gave no whole answer within {CALL_S:g} s.") from error
        except httpx2.DecodingError as error:
            raise Transient("bad_reply", f"{self.name} sent what cannot be decoded.", endpoint=query["type"]) from error
        except httpx2.RequestError as error:
            outcome = "unreachable"
            raise Transient("provider_down", f"{self.name} could not be reached.", cause=type(error).__name__) from error
        finally:
            labels = {"provider": self.name, "endpoint": query["type"]}
            telemetry.provider_requests.labels(**labels, status=outcome).inc()
            telemetry.provider_latency.labels(**labels).observe(time.perf_counter() - started)
        return Reply(body, Seen(as_of, now(), hashlib.sha256(body).hexdigest()))

    def close(self) -> None:
        """Give back the connections; no call may follow."""
        self._client.close()

    def _bounded(self, response: httpx2.Response, endpoint: str) -> bytes:
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > MOST_BYTES:
                raise Transient("bad_reply", f"{self.name} sent more than {MOST_BYTES} bytes.", endpoint=endpoint)
        return bytes(body)


def refusal(name: str, response: httpx2.Response) -> LensError:
    """What an answer other than 200 means."""
    status = response.status_code
    if status == httpx2.codes.TOO_MANY_REQUESTS:
        return Transient("rate_limited", f"{name} asks for patience.", retry_after=wait_wished(response.headers))
    if status >= httpx2.codes.INTERNAL_SERVER_ERROR:
        return Transient("provider_down", f"{name} answered {status}.", status=status)
    if status >= httpx2.codes.BAD_REQUEST:
        return Permanent("provider_refused", f"{name} answered {status}.", status=status)
    return Transient("bad_reply", f"{name} answered {status}.", status=status)
