"""Freezing the market, one worker process alone: how long it takes, what the venue is asked, what it costs, how much comes out.

*Cold*: neither this process nor Redis remembers anything of the venue. *Warm*: the same coin once more, within the same second.
CPU is this process's own, threads included, over the whole step from the claim to the commit. `python -m bench --enrichment`
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import httpx2
from django.apps import apps
from django.conf import settings
from django.db import connection
from redis import Redis

from bench.figures import figure
from bench.ground import ground
from console.load import COINS, quantile, signal_body

PROFILES = ("trend_follow_v1", "crypto_perps_v1", "full_v1")
AIMS_MS = {"trend_follow_v1": (25.0, 8.0), "full_v1": (60.0, 15.0)}
P95_AIM_MS = 2_000.0
LATENCIES = (0.0, 0.1, 0.3)
# As the launcher gives a worker: without a pool every signal pays for connecting twice.
POOL = "16"
ROUNDS, BURST, THREADS = 10, 100, 16
AIM_PER_COIN = 12.0


def main() -> None:
    """A venue, servers, figures."""
    with venue() as url, ground(LENS_MARKET="sandbox", LENS_HYPERLIQUID_URL=url, DATABASE_POOL_SIZE=POOL):
        bench = Bench(url)
        for _ in range(3):
            bench.cold(PROFILES[-1])
        for profile in PROFILES:
            _cost(bench, profile)
        for latency in LATENCIES:
            _wait(bench, latency)
        _burst(bench, COINS)
        _burst(bench, COINS[:1])


class Bench:
    """Signals made and enriched here."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._desk: Any = import_module("enrichment.desk")
        self._services: Any = import_module("signals.services")
        self._api: Any = import_module("signals.api")
        self._tasks: Any = import_module("enrichment.tasks")
        self.rows: Any = apps.get_model("enrichment.Enrichment").objects

    def cold(self, profile: str, coin: str = "BTC") -> tuple[float, float]:
        """Enrich one signal with everything forgotten: seconds on the wall and of CPU."""
        self.forget()
        return self.enrich(self.signal(profile, coin))

    def warm(self, profile: str, coin: str = "BTC") -> tuple[float, float]:
        """Another signal on the coin just looked at."""
        return self.enrich(self.signal(profile, coin))

    def signal(self, profile: str, coin: str) -> str:
        """A signal at the price of the moment, stored; its id."""
        prices = httpx2.post(f"{self.url}/info", json={"type": "allMids"}).json()
        body = self._api.SignalSerializer(data={**signal_body(prices, coin, long=True), "feature_profile": profile})
        body.is_valid(raise_exception=True)
        fields = {name: value for name, value in body.validated_data.items() if name != "idempotency_key"}
        stored, _ = self._services.submit(self._services.Submission(fields, "key:bench", None), lambda _: None)
        return str(stored.pk)

    def enrich(self, event_id: str) -> tuple[float, float]:
        """Seconds on the wall and of CPU, from the claim to the commit."""
        began, spent = time.perf_counter(), time.process_time()
        self._tasks.enrich(event_id)
        taken = time.perf_counter() - began, time.process_time() - spent
        assert self.rows.filter(signal=event_id).exists(), event_id
        connection.close()  # back to the pool, as after a task
        return taken

    def forget(self) -> None:
        """Nothing of the venue is remembered, here or in Redis. The new desk's own making is not a signal's cost."""
        self._desk.desk().close()
        self._desk._desk.cache_clear()  # noqa: SLF001  processes have no reason to forget, so there is no door for it
        self._desk.desk()
        with Redis.from_url(f"{settings.REDIS_URL}/0") as client:
            for name in client.scan_iter("lens:venue:*"):
                client.delete(name)

    def asked(self) -> int:
        """How many requests the venue had since the last time, the price list for making signals aside."""
        counted = httpx2.get(f"{self.url}/_control/requests").json()["by_endpoint"]
        httpx2.delete(f"{self.url}/_control/requests")
        return sum(sum(by_coin.values()) for endpoint, by_coin in counted.items() if endpoint != "allMids")


def _cost(bench: Bench, profile: str) -> None:
    """CPU cold and warm, requests of one signal, bytes."""
    cold, warm, requests = [], [], []
    for _ in range(ROUNDS):
        bench.asked()
        cold.append(bench.cold(profile)[1] * 1000)
        requests.append(bench.asked())
        warm += [bench.warm(profile)[1] * 1000 for _ in range(3)]
    size = max(len(row.payload.encode()) for row in bench.rows.filter(profile=profile))
    aims = AIMS_MS.get(profile, (None, None))
    print(f"\n── {profile} " + "─" * 40)
    for words, values, aim in (("cold", cold, aims[0]), ("warm", warm, aims[1])):
        values.sort()
        shares = "  ".join(f"p{share * 100:g} {quantile(values, share):5.1f} ms" for share in (0.0, 0.5, 0.95))
        print(f"CPU a signal, {words}   {shares}")
        figure(f"{profile}: CPU a signal, {words} (median)", quantile(values, 0.5), "ms", aim)
    print(f"requests of a cold signal {max(requests)}   payload at most {size} bytes", flush=True)
    figure(f"{profile}: payload", size, "bytes", 4096)
    figure(f"{profile}: requests of a cold signal", max(requests), "")


def _wait(bench: Bench, latency: float) -> None:
    """How long a signal takes when the venue takes so long: each coin cold, then warm."""
    httpx2.put(f"{bench.url}/_control/latency", json={"seconds": latency}).raise_for_status()
    cold, warm = [], []
    for coin in COINS:
        cold.append(bench.cold("trend_follow_v1", coin)[0])
        warm += [bench.warm("trend_follow_v1", coin)[0] for _ in range(3)]
    httpx2.delete(f"{bench.url}/_control/latency").raise_for_status()
    print(f"\n── a venue that answers {'at once' if not latency else f'in {latency * 1000:g} ms'} " + "─" * 40)
    for words, values in (("cold", sorted(cold)), ("warm", sorted(warm))):
        print(
            f"{words}   " + "  ".join(f"p{share * 100:g} {quantile(values, share) * 1000:6.0f} ms" for share in (0.5, 0.95)),
            flush=True,
        )
    figure(f"venue {latency * 1000:g} ms: cold, p95", quantile(sorted(cold), 0.95) * 1000, "ms", P95_AIM_MS)


def _burst(bench: Bench, coins: Sequence[str]) -> None:
    """A hundred signals at once over so many coins, sixteen at a time as in a worker."""
    bench.forget()
    ids = [bench.signal("trend_follow_v1", coins[number % len(coins)]) for number in range(BURST)]
    bench.asked()
    began, spent = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(THREADS) as pool:
        waits = sorted(taken for taken, _ in pool.map(bench.enrich, ids))
    wall, cpu = time.perf_counter() - began, time.process_time() - spent
    over = "one coin" if len(coins) == 1 else f"{len(coins)} coins"
    print(f"\n── a burst of {BURST} over {over} " + "─" * 40)
    shares = "  ".join(f"p{share * 100:g} {quantile(waits, share) * 1000:6.0f} ms" for share in (0.5, 0.95))
    print(f"all in {wall:5.2f} s   {shares}   {cpu / BURST * 1000:5.1f} CPU ms a signal", flush=True)
    figure(f"requests, burst of {BURST} over {over}", bench.asked(), "", AIM_PER_COIN * len(coins))


@contextmanager
def venue() -> Iterator[str]:
    """The exchange played by its simulator: its address."""
    command = [sys.executable, "-m", "sandbox.exchange", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().removeprefix("listening on ").strip()
        finally:
            process.kill()


if __name__ == "__main__":
    main()
