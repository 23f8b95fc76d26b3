"""Damage to the meaning of an answer that is well-formed JSON: the faults a status code or a cut connection cannot express."""

import json
from collections.abc import Callable, Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from sandbox.exchange.wire import Answer

DataFault = Literal[
    "null_context", "nan_mid", "crossed_book", "wrong_coin", "candle_gap", "stale_candles", "empty_book", "one_sided_book"
]
WRONG_COIN = "WRONG"
MISSING = 3


class DataRule(BaseModel):
    """One damage, to one coin's answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    coin: str
    fault: DataFault


def damaged(answer: Answer, endpoint: str, coin: str | None, rules: Iterable[DataRule]) -> Answer:
    """The answer after every rule that applies to it. `coin` is the one asked about, if any; contexts and mids carry all coins."""
    due = [rule for rule in rules if (endpoint, rule.fault) in _DAMAGES and coin in {None, rule.coin}]
    if not due or answer.status != 200:
        return answer
    payload = json.loads(answer.body)
    for rule in due:
        payload = _DAMAGES[endpoint, rule.fault](payload, rule.coin) if payload else payload
    return Answer(answer.status, json.dumps(payload, separators=(",", ":")).encode())


def _context_of(payload: Any, coin: str) -> dict[str, Any]:
    """The context of a coin inside `metaAndAssetCtxs`; an empty one, not part of the payload, when the coin is not there."""
    names = [entry["name"] for entry in payload[0]["universe"]]
    found: dict[str, Any] = payload[1][names.index(coin)] if coin in names else {}
    return found


def _null_context(payload: Any, coin: str) -> Any:
    context = _context_of(payload, coin)
    context.update(dict.fromkeys(context))
    return payload


def _nan_context(payload: Any, coin: str) -> Any:
    _context_of(payload, coin).update(midPx="NaN")
    return payload


def _nan_mid(payload: Any, coin: str) -> Any:
    return {**payload, coin: "NaN"}


def _crossed(payload: Any, _: str) -> Any:
    bids, asks = payload["levels"]
    if bids and asks:
        bids[0]["px"], asks[0]["px"] = asks[0]["px"], bids[0]["px"]
    return payload


def _empty(payload: Any, _: str) -> Any:
    return {**payload, "levels": [[], []]}


def _one_sided(payload: Any, _: str) -> Any:
    return {**payload, "levels": [payload["levels"][0], []]}


def _wrong_book(payload: Any, _: str) -> Any:
    return {**payload, "coin": WRONG_COIN}


def _wrong_rows(payload: Any, _: str) -> Any:
    return [{**row, "coin": WRONG_COIN} for row in payload]


def _wrong_candles(payload: Any, _: str) -> Any:
    return [{**row, "s": WRONG_COIN} for row in payload]


def _gap(payload: Any, _: str) -> Any:
    """Up to three candles are missing from the middle; the ends stay."""
    middle = len(payload) // 2
    first, last = max(middle - 1, 1), min(middle - 1 + MISSING, len(payload) - 1)
    return payload[:first] + payload[max(first, last) :]


def _stale(payload: Any, _: str) -> Any:
    """The newest three candles have not arrived, the forming one among them."""
    return payload[:-MISSING]


_DAMAGES: dict[tuple[str, str], Callable[[Any, str], Any]] = {
    ("metaAndAssetCtxs", "null_context"): _null_context,
    ("metaAndAssetCtxs", "nan_mid"): _nan_context,
    ("allMids", "nan_mid"): _nan_mid,
    ("l2Book", "crossed_book"): _crossed,
    ("l2Book", "empty_book"): _empty,
    ("l2Book", "one_sided_book"): _one_sided,
    ("l2Book", "wrong_coin"): _wrong_book,
    ("fundingHistory", "wrong_coin"): _wrong_rows,
    ("recentTrades", "wrong_coin"): _wrong_rows,
    ("candleSnapshot", "wrong_coin"): _wrong_candles,
    ("candleSnapshot", "candle_gap"): _gap,
    ("candleSnapshot", "stale_candles"): _stale,
}
