"""Market data by name. Another venue is one file here and one line below; `tests/enrichment` runs its contract on every entry."""

from collections.abc import Callable

from django.conf import settings

from enrichment.ports import MarketDataProvider
from enrichment.providers.hyperliquid import Hyperliquid


def _hyperliquid(name: str, url: str) -> MarketDataProvider:
    return Hyperliquid(name, url, settings.LENS.hyperliquid_weight_per_minute)


# Name → (name, base URL) → provider. The sandbox speaks Hyperliquid's protocol, under its own name wherever prices are shown, and
# minds no limit.
PROVIDERS: dict[str, Callable[[str, str], MarketDataProvider]] = {
    "hyperliquid": _hyperliquid,
    "sandbox": Hyperliquid,
}
