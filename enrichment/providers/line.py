"""One venue's `POST /info`: a request out, a whole answer back within its deadline, or the error it amounts to. Retries nothing.

| answer                          | becomes                                    |
|---------------------------------|--------------------------------------------|
| 429                             | Transient rate_limited, Retry-After        |
| 500 with the body `null`        | Transient bad_reply: it knows no such coin |
| other 5xx, no connection, a cut | Transient provider_down                    |
| no whole answer within 4 s      | Transient timeout                          |
| 3xx, larger than 8 MB           | Transient bad_reply                        |
| other 4xx                       | Permanent provider_refused                 |

Before it is sent a request is looked up among the answers other processes got, passes the breaker of its endpoint, and is counted
against the venue's limit; what is held back there is Transient `provider_down` or `rate_limited` with the time it may go.
"""

import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2

from core import telemetry
from core.errors import LensError, Permanent, Transient
from core.http import bounded_client, deadline, wait_wished
from core.store import patient_store, store
from enrichment.providers.allowance import Allowance
from enrichment.providers.answers import Answer, Answers, Parse, Query, Reply, V, reply
from enrichment.providers.breaker import Breaker

CALL_S = 4.0
MOST_BYTES = 8_000_000
_WITH_BODY = (httpx2.codes.OK, httpx2.codes.INTERNAL_SERVER_ERROR)
DOWN = ("provider_down", "timeout")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request weighs against the venue's limit, and whether it goes before others when little is left."""

    weight: int
    first: bool = False


class Line:
    """Connections to one venue, kept open between requests and shared by all threads.

    `per_minute` is the weight the venue allows this address in a minute, None when it minds nothing.
    """

    def __init__(self, name: str, base_url: str, per_minute: int | None) -> None:
        self.name = name
        self._url = httpx2.URL(f"{base_url.rstrip('/')}/info")  # parsed once, not for every request
        self._client = bounded_client(timeout=CALL_S)
        host = urlsplit(base_url).netloc
        self._allowance = Allowance(name, host, per_minute, store())
        self._answers = Answers(host, store(), patient_store(CALL_S + 1), CALL_S)
        self._breakers: dict[str, Breaker] = {}

    def ask(self, query: Query, cost: Cost, serves_s: float, parse: Parse[V]) -> Answer[V]:
        """What `parse` makes of the venue's answer to `query`, its `type` being the endpoint, at most `serves_s` old.

        Raises what the table above says, or `parse` does.
        """
        return self._answers.shared(query, serves_s, lambda: self._guarded(query, cost), parse)

    def close(self) -> None:
        """Give back the connections; no call may follow."""
        self._client.close()

    def _guarded(self, query: Query, cost: Cost) -> Reply:
        breaker = self._breakers.setdefault(query["type"], Breaker(self.name, query["type"]))
        breaker.enter()
        try:
            self._allowance.take(cost.weight, first=cost.first)
        except Transient:
            breaker.released()
            raise
        try:
            answer = self._post(query)
        except (Transient, Permanent) as error:
            (breaker.failed if error.code in DOWN else breaker.succeeded)()
            if isinstance(error, Transient) and error.code == "rate_limited":
                self._allowance.hold(error.retry_after)
            raise
        breaker.succeeded()
        return answer

    def _post(self, query: Query) -> Reply:
        started = time.perf_counter()
        outcome = "unreachable"
        try:
            with deadline(CALL_S), self._client.stream("POST", self._url, json=query) as response:
                outcome = str(response.status_code)
                if response.status_code not in _WITH_BODY:
                    raise refusal(self.name, response)
                body = self._bounded(response, query["type"])
                if response.status_code != httpx2.codes.OK:
                    raise refusal(self.name, response, body)
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
        return reply(body, time.perf_counter() - started)

    def _bounded(self, response: httpx2.Response, endpoint: str) -> bytes:
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > MOST_BYTES:
                raise Transient("bad_reply", f"{self.name} sent more than {MOST_BYTES} bytes.", endpoint=endpoint)
        return bytes(body)


def refusal(name: str, response: httpx2.Response, body: bytes = b"") -> LensError:
    """What an answer other than 200 means."""
    status = response.status_code
    if status == httpx2.codes.INTERNAL_SERVER_ERROR and body.strip() == b"null":
        return Transient("bad_reply", f"{name} knows nothing of what it was asked.", status=status)
    if status == httpx2.codes.TOO_MANY_REQUESTS:
        return Transient("rate_limited", f"{name} asks for patience.", retry_after=wait_wished(response.headers))
    if status >= httpx2.codes.INTERNAL_SERVER_ERROR:
        return Transient("provider_down", f"{name} answered {status}.", status=status)
    if status >= httpx2.codes.BAD_REQUEST:
        return Permanent("provider_refused", f"{name} answered {status}.", status=status)
    return Transient("bad_reply", f"{name} answered {status}.", status=status)
