"""One call for many askers: at most one flight per key, its answer shared while it is fresh."""

from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future
from threading import Lock
from typing import Generic, TypeVar

from core.errors import Transient

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Shared(Generic[K, V]):
    """Answers by key. Those who ask during a flight get its outcome, an error included; errors are not kept beyond it.

    Flights run on `pool`; a flight must not wait for another flight of the same pool. The oldest answers go when there are more
    than `most`.
    """

    def __init__(self, pool: Executor, most: int = 2_000) -> None:
        self._pool = pool
        self._most = most
        self._lock = Lock()
        self._flights: dict[K, Future[V]] = {}

    def ask(self, key: K, load: Callable[[], V], fresh: Callable[[V], bool]) -> Future[V]:
        """The flight under way, the answer kept if `fresh` says so, or a new flight of `load`."""
        with self._lock:
            known = self._flights.get(key)
            if known is not None and _serves(known, fresh):
                return known
            self._flights.pop(key, None)
            self._flights[key] = flight = self._pool.submit(load)
            if len(self._flights) > self._most:
                del self._flights[next(iter(self._flights))]
            return flight


def _serves(flight: Future[V], fresh: Callable[[V], bool]) -> bool:
    return not flight.done() or (flight.exception() is None and fresh(flight.result()))


def landed(flight: Future[V], within_s: float) -> V:
    """The flight's answer or error. Raises Transient `timeout` when it takes longer: a name lookup, for one, has no deadline."""
    try:
        return flight.result(max(within_s, 0.0))
    except TimeoutError as error:
        raise Transient("timeout", f"No answer within {within_s:.1f} s.") from error
