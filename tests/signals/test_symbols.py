"""One asset, one name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals.symbols import canonical_symbol

TABLE = {
    "BTC": [
        "BTC",
        "btc",
        "btc-perp",
        "BTCPERP",
        "BTC/USDT",
        "BTC/USDC",
        "BTC-USD",
        "BTCUSD",
        "BINANCE:BTCUSDT.P",
        "binance:btcusdt.p",
        "BTCUSDT",
    ],
    "ETH": ["ETH/USDT", "ETH/USD", "eth"],
    "SOL": ["SOL-USD", "SOLUSD"],
    "HYPE": ["HYPE-PERP"],
    "kPEPE": ["kPEPE", "kPEPE-PERP", "kPEPE/USDC"],
}


@pytest.mark.parametrize(("spelling", "asset"), [(spelling, asset) for asset, all_ in TABLE.items() for spelling in all_])
def test_spellings_of_one_asset_meet(spelling: str, asset: str) -> None:
    assert canonical_symbol(spelling) == asset


@pytest.mark.parametrize("text", ["USD", "PERP", "USDT", "usd-perp", "", "ВТС", "BTC\u200b", "-BTC", "A" * 33, "BTC USD", "BTC\n"])
def test_what_names_no_asset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"symbol|asset"):
        canonical_symbol(text)


@given(st.from_regex(r"k?[A-Z]{2,6}", fullmatch=True), st.sampled_from(["", "-PERP", "/USDT", "-USD", "USDT", ".P"]))
def test_canonical_names_stay_as_they_are(base: str, suffix: str) -> None:
    try:
        once = canonical_symbol(base + suffix)
    except ValueError:
        return
    assert canonical_symbol(once) == once


@given(
    st.from_regex(r"[A-Z]{2,6}", fullmatch=True),
    st.from_regex(r"[A-Z]{2,6}", fullmatch=True),
    st.sampled_from(["-PERP", "/USDT", ".P"]),
)
def test_two_assets_never_meet_in_one_name(one: str, other: str, suffix: str) -> None:
    quotes = ("USD", "USDT", "USDC", "PERP")
    if one == other or one.endswith(quotes) or other.endswith(quotes):
        return
    assert canonical_symbol(one + suffix) != canonical_symbol(other + suffix)
