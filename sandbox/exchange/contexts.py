"""What the venue publishes beside prices: marks, oracle, funding, open interest, day volume; consistent with book and candles."""

from collections.abc import Iterable
from functools import lru_cache
from math import exp
from typing import Any

from sandbox.exchange.book import Side, Touch, impact_price, mid_text
from sandbox.exchange.candles import minute_bars
from sandbox.exchange.coins import MARGIN_TIERS, Coin
from sandbox.exchange.noise import draw, smooth
from sandbox.exchange.prices import MINUTE_MS, Shifts, price_at
from sandbox.exchange.units import decimal_text, text

HOUR_MS = 3_600_000
DAY_MINUTES = 1_440
INTEREST_8H = 0.0001
CLAMP = 0.0005
RATE_DECIMALS = 10
HISTORY_LIMIT = 500
DEEP_COINS = ("BTC", "ETH")  # the venue measures impact on 20 000 USD for these and on 6 000 USD for the rest


def meta(coins: Iterable[Coin]) -> dict[str, Any]:
    """The `meta` answer."""
    tables = [
        [table, {"description": title, "marginTiers": [{"lowerBound": bound, "maxLeverage": most} for bound, most in tiers]}]
        for table, (title, tiers) in MARGIN_TIERS.items()
    ]
    return {"universe": [coin.universe_entry() for coin in coins], "marginTables": tables, "collateralToken": 0}


def basis(coin: Coin, at_ms: int) -> float:
    """How far the perpetual trades above its oracle price, as a fraction: a slow tide, at times strong enough to move funding."""
    tide = 0.0009 * smooth(coin.sub_seed("basis"), at_ms, 9 * HOUR_MS) ** 3
    return tide + 0.0002 * smooth(coin.sub_seed("basis ripple"), at_ms, HOUR_MS // 4)


def hourly_funding(coin: Coin, hour: int) -> tuple[float, float]:
    """Funding rate and premium of one hour since the epoch; the rate is an eighth of premium plus clamped interest."""
    premium = basis(coin, hour * HOUR_MS + HOUR_MS // 2)
    return (premium + min(max(INTEREST_8H - premium, -CLAMP), CLAMP)) / 8, premium


def context(coin: Coin, best: Touch, at_ms: int, shifts: Shifts) -> dict[str, Any]:
    """The coin's element of the second half of `metaAndAssetCtxs`, keys in the recorded order."""
    price = price_at(coin, at_ms, shifts)
    decimals = coin.price_decimals
    oracle = round(price * 10**decimals / (1 + basis(coin, at_ms)))
    bid, ask = (_impact(coin, best, sign, at_ms) for sign in (-1, 1))
    premium = (max(0, bid - oracle) - max(0, oracle - ask)) / oracle
    quote, base, before = _day(coin, at_ms // MINUTE_MS, shifts)
    interest = coin.turnover / coin.price * exp(0.3 * smooth(coin.sub_seed("interest"), at_ms, 31 * HOUR_MS))
    return {
        "funding": decimal_text(hourly_funding(coin, at_ms // HOUR_MS)[0], RATE_DECIMALS),
        "openInterest": decimal_text(interest, coin.sz_decimals),
        "prevDayPx": text(before, decimals),
        "dayNtlVlm": decimal_text(quote, RATE_DECIMALS),
        "premium": decimal_text(premium, RATE_DECIMALS),
        "oraclePx": text(oracle, decimals),
        "markPx": decimal_text(price, decimals),
        "midPx": mid_text(coin, best),
        "impactPxs": [text(bid, decimals), text(ask, decimals)],
        "dayBaseVlm": text(base, coin.sz_decimals),
    }


def delisted_context(coin: Coin, last_price: float) -> dict[str, Any]:
    """What stays of a delisted coin: its last prices, no premium, no mid, no impact prices."""
    price = decimal_text(last_price, coin.price_decimals)
    return {
        "funding": "0.0",
        "openInterest": "0.0",
        "prevDayPx": price,
        "dayNtlVlm": "0.0",
        "premium": None,
        "oraclePx": price,
        "markPx": price,
        "midPx": None,
        "impactPxs": None,
        "dayBaseVlm": "0.0",
    }


def funding_history(coin: Coin, span_ms: tuple[int, int]) -> list[dict[str, Any]]:
    """Hourly settlements inside the span, both ends included, the oldest 500."""
    first = -(-max(span_ms[0], HOUR_MS) // HOUR_MS)
    rows = []
    for hour in range(first - 1, min(span_ms[1] // HOUR_MS, first + HISTORY_LIMIT) + 1):
        at_ms = hour * HOUR_MS + draw(coin.sub_seed("settled"), hour) % 100
        if span_ms[0] <= at_ms <= span_ms[1]:
            rate, premium = hourly_funding(coin, hour - 1)
            rates = {"fundingRate": decimal_text(rate, RATE_DECIMALS), "premium": decimal_text(premium, RATE_DECIMALS)}
            rows.append({"coin": coin.name, **rates, "time": at_ms})
    return rows[:HISTORY_LIMIT]


def predicted_fundings(coins: Iterable[Coin], at_ms: int) -> list[list[Any]]:
    """Next funding per coin and venue, coins in alphabetical order, null where another venue does not list the coin."""
    return [
        [coin.name, [[venue, _predicted(coin, venue, at_ms)] for venue in ("BinPerp", "HlPerp", "BybitPerp")]]
        for coin in sorted(coins, key=lambda coin: coin.name)
        if coin.delisted_ms is None
    ]


def _predicted(coin: Coin, venue: str, at_ms: int) -> dict[str, Any] | None:
    hours = 1 if venue == "HlPerp" else 8
    if not coin.listed_elsewhere and hours == 8:
        return None
    rate = hourly_funding(coin, at_ms // HOUR_MS)[0]
    if hours == 8:
        rate = 0.0001 * smooth(coin.sub_seed(venue), at_ms, 8 * HOUR_MS)
    length = hours * HOUR_MS
    return {
        "fundingRate": decimal_text(rate, RATE_DECIMALS if hours == 1 else 8),
        "nextFundingTime": (at_ms // length + 1) * length,
        "fundingIntervalHours": hours,
    }


def _impact(coin: Coin, best: Touch, sign: int, at_ms: int) -> int:
    notional = 20_000.0 if coin.name in DEEP_COINS else 6_000.0
    to_usd = 10.0 ** -(coin.price_decimals + coin.sz_decimals)
    return round(impact_price(Side(coin, best, sign, at_ms).levels(best.tick), notional, to_usd))


@lru_cache(maxsize=64)
def _day(coin: Coin, minute: int, shifts: Shifts) -> tuple[float, int, int]:
    """The last 1 440 closed minutes: quote volume in USD, base volume in size units, and the first price in price units."""
    bars = minute_bars(coin, minute - DAY_MINUTES, DAY_MINUTES, shifts)
    typical = (bars.open + bars.high + bars.low + bars.close) / 4.0
    to_usd = 10.0 ** -(coin.price_decimals + coin.sz_decimals)
    return float((typical * bars.volume).sum() * to_usd), int(bars.volume.sum()), int(bars.open[0])
