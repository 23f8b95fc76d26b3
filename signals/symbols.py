"""One asset, one name: the many spellings of a perpetual become the venue's coin. Pure."""

import re

_ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9:/@._-]{0,31}")
_EXCHANGE = re.compile(r"^[A-Za-z0-9]{2,20}:(?=.)")
_QUOTED = re.compile(r"(?:[-/](?:PERP|USDT|USDC|USD)|PERP|USDT|USDC|USD)$", re.IGNORECASE)


def canonical_symbol(text: str) -> str:
    """`BINANCE:BTCUSDT.P`, `btc-perp`, `BTC/USDC` → `BTC`; the case of mixed-case coins (`kPEPE`) is kept.

    Raises ValueError for characters no venue uses and when nothing but a quote currency is left.
    """
    if not _ALLOWED.fullmatch(text):
        raise ValueError("a symbol has 1–32 characters of A–Z a–z 0–9 : / @ . _ -")
    coin = _EXCHANGE.sub("", text)
    coin = coin[:-2] if coin.upper().endswith(".P") else coin
    base = _QUOTED.sub("", coin)
    if not base or _QUOTED.fullmatch(f"-{base}"):
        raise ValueError("names a quote currency, not an asset")
    return _spelled(base)


def _spelled(base: str) -> str:
    """Thousand-coins keep their small k before capitals (`kPEPE`); everything else is upper case."""
    if re.fullmatch(r"k[A-Z0-9]+", base):
        return base
    return base.upper()
