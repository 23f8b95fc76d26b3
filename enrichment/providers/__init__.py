"""Market data by name. Another venue is one file here and one line below; `tests/enrichment` runs its contract on every entry."""

from collections.abc import Callable

from enrichment.ports import MarketDataProvider
from enrichment.providers.hyperliquid import Hyperliquid

# Name → (name, base URL) → provider. The sandbox speaks Hyperliquid's protocol, under its own name wherever prices are shown.
PROVIDERS: dict[str, Callable[[str, str], MarketDataProvider]] = {
    "hyperliquid": Hyperliquid,
    "sandbox": Hyperliquid,
}
