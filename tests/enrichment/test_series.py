"""The bars kept for people: the newest ones, exactly as the venue stated them, holes left open."""

import json
from decimal import Decimal

from core.clock import from_ms
from enrichment.series import KEPT, drawn
from tests.enrichment.markets import START, candles, walk


def test_the_newest_bars_are_kept_and_told_exactly() -> None:
    market = candles(walk(200), "15m")
    kept = json.loads(drawn(market), parse_float=Decimal)
    assert kept["interval"] == "15m"
    assert len(kept["bars"]) == KEPT
    first, last = market.bars[-KEPT], market.bars[-1]
    assert from_ms(kept["bars"][0][0] * 1000) == first.open_time
    assert [Decimal(number) for number in kept["bars"][-1][1:]] == list(last[2:])


def test_small_prices_are_written_without_an_exponent() -> None:
    assert "0.00000012" in drawn(candles([("0.00000012", "0.00000013", "0.00000011", "0.00000012", "5")]))


def test_a_hole_stays_a_hole() -> None:
    kept = json.loads(drawn(candles([(10, 11, 9, 10, 1)] * 2, "1h", slots=[0, 2])))
    assert [bar[0] for bar in kept["bars"]] == [int(START.timestamp()), int(START.timestamp()) + 7_200]


def test_no_bars_no_text() -> None:
    assert drawn(candles([])) == ""
