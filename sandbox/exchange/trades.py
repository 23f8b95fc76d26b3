"""Recent trades: one in every half-second slot, at the touch of that moment. Their sizes do not add up to candle volume."""

from typing import Any

from sandbox.exchange.book import touch
from sandbox.exchange.coins import Coin
from sandbox.exchange.noise import draw
from sandbox.exchange.prices import Shifts, price_at
from sandbox.exchange.units import text

SLOT_MS = 500
SHOWN = 10


def recent_trades(coin: Coin, now_ms: int, shifts: Shifts) -> list[dict[str, Any]]:
    """The last ten trades, newest first."""
    newest = now_ms // SLOT_MS - 1
    return [_trade(coin, slot, shifts) for slot in range(newest, newest - SHOWN, -1)]


def _trade(coin: Coin, slot: int, shifts: Shifts) -> dict[str, Any]:
    bits = draw(coin.sub_seed("trade"), slot)
    at_ms = slot * SLOT_MS + bits % SLOT_MS
    best = touch(coin, price_at(coin, at_ms, shifts), at_ms)
    bought = bits >> 20 & 1
    usual = coin.turnover / coin.price / 86_400.0 * 10**coin.sz_decimals
    return {
        "coin": coin.name,
        "side": "B" if bought else "A",
        "px": text(best.ask if bought else best.bid, coin.price_decimals),
        "sz": text(1 + int(usual * (bits >> 24 & 0xFF) / 128), coin.sz_decimals),
        "time": at_ms,
        "hash": f"0x{_hex(coin, 'hash', slot, 64)}",
        "tid": bits >> 14,
        "users": [f"0x{_hex(coin, role, slot, 40)}" for role in ("buyer", "seller")],
    }


def _hex(coin: Coin, purpose: str, slot: int, digits: int) -> str:
    return "".join(f"{draw(coin.sub_seed(purpose, part), slot):016x}" for part in range(-(-digits // 16)))[:digits]
