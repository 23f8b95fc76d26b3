"""The listed coins: precision and leverage as the venue publishes them, and what shapes their simulated market."""

from dataclasses import dataclass, replace
from typing import Any

from sandbox.exchange.noise import seed_of

MAX_PRICE_DECIMALS = 6
DELISTED_MS = 1_756_339_200_000  # 2025-08-28T00:00Z, a multiple of every simulated interval


@dataclass(frozen=True, slots=True)
class Coin:
    """One perpetual. `price` is the level it hovers around, `vol` its minute-scale noise, `turnover` its usual daily volume in USD.

    Levels keep clear of powers of ten, where the five-significant-figure tick would change under an undisturbed price.
    """

    name: str
    sz_decimals: int
    leverage: int
    margin_table: int
    price: float
    turnover: float
    vol: float = 0.0004
    seed: int = 0
    listed_elsewhere: bool = True
    delisted_ms: int | None = None

    @property
    def price_decimals(self) -> int:
        """Decimals of the price unit, 10^-decimals: every price of this coin is a whole number of units."""
        return MAX_PRICE_DECIMALS - self.sz_decimals

    def sub_seed(self, *parts: str | int) -> int:
        """An independent stream of randomness for one purpose."""
        return seed_of(self.seed, self.name, *parts)

    def universe_entry(self) -> dict[str, Any]:
        """The coin's element of `meta.universe`, keys in the recorded order."""
        entry: dict[str, Any] = {
            "szDecimals": self.sz_decimals,
            "name": self.name,
            "maxLeverage": self.leverage,
            "marginTableId": self.margin_table,
        }
        return entry if self.delisted_ms is None else {**entry, "isDelisted": True}


_LISTED = (
    Coin("BTC", 5, 40, 56, 62_000.0, 2.4e9),
    Coin("ETH", 4, 25, 55, 3_100.0, 1.1e9),
    Coin("MATIC", 1, 20, 20, 0.38, 2.0e7, delisted_ms=DELISTED_MS),
    Coin("SOL", 2, 20, 54, 180.0, 4.0e8, vol=0.0005),
    Coin("AVAX", 2, 10, 51, 27.0, 3.0e7, vol=0.0005),
    Coin("BNB", 3, 10, 51, 610.0, 5.0e7),
    Coin("kPEPE", 0, 10, 52, 0.0046, 6.0e7, vol=0.0006),
    Coin("ARB", 1, 10, 51, 0.43, 1.5e7, vol=0.0006),
    Coin("DOGE", 0, 10, 52, 0.22, 9.0e7, vol=0.0005),
    Coin("SUI", 1, 10, 52, 3.3, 7.0e7, vol=0.0005),
    Coin("XRP", 0, 20, 53, 2.4, 1.8e8),
    Coin("LINK", 1, 10, 52, 17.0, 4.0e7, vol=0.0005),
    Coin("HYPE", 2, 10, 52, 41.0, 3.5e8, vol=0.0005, listed_elsewhere=False),
)

MARGIN_TIERS: dict[int, tuple[str, tuple[tuple[str, int], ...]]] = {
    20: ("", (("0.0", 20),)),
    51: ("tiered 10x", (("0.0", 10), ("3000000.0", 5))),
    52: ("tiered 10x (2)", (("0.0", 10), ("20000000.0", 5))),
    53: ("tiered 20x", (("0.0", 20), ("40000000.0", 10))),
    54: ("tiered 20x (2)", (("0.0", 20), ("70000000.0", 10))),
    55: ("tiered 25x", (("0.0", 25), ("100000000.0", 15))),
    56: ("tiered 40x", (("0.0", 40), ("150000000.0", 20))),
}


def universe(seed: int) -> dict[str, Coin]:
    """Every coin by name, in the venue's order, drawing its randomness from `seed`."""
    return {coin.name: replace(coin, seed=seed) for coin in _LISTED}
