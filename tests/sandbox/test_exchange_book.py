"""The book: never crossed, additive under aggregation, centred on the mid."""

import json
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.exchange import wire
from sandbox.exchange.book import Level, Side, impact_price, touch
from sandbox.exchange.coins import Coin, universe
from sandbox.exchange.prices import price_at
from sandbox.exchange.venue import SimulatedVenue

NOW = 1_790_518_345_600
VENUE = SimulatedVenue()
LIVE = [name for name, coin in universe(1).items() if coin.delisted_ms is None]
AGGREGATIONS = [(None, None), (5, None), (5, 1), (5, 2), (5, 5), (4, None), (3, None), (2, None)]
instants = st.integers(1_500_000_000_000, 2_000_000_000_000)


def ask(at_ms: int, **request: Any) -> Any:
    return json.loads(VENUE.answer(wire.QUERIES.validate_json(json.dumps(request)), at_ms).body)


@given(st.sampled_from(LIVE), instants, st.sampled_from(AGGREGATIONS))
@settings(max_examples=80, deadline=None)
def test_a_healthy_book_is_sorted_never_crossed_and_at_most_twenty_deep(
    coin: str, at_ms: int, aggregation: tuple[int | None, int | None]
) -> None:
    figures, mantissa = aggregation
    book = ask(at_ms, type="l2Book", coin=coin, nSigFigs=figures, mantissa=mantissa)
    bids, asks = ([Decimal(level["px"]) for level in levels] for levels in book["levels"])
    assert 1 <= len(bids) <= 20
    assert 1 <= len(asks) <= 20
    assert bids[0] < asks[0]
    assert all(higher > lower for higher, lower in pairwise(bids))
    assert all(lower < higher for lower, higher in pairwise(asks))
    assert all(Decimal(level["sz"]) > 0 and level["n"] >= 1 for levels in book["levels"] for level in levels)


@given(st.sampled_from(LIVE), instants, st.sampled_from([figures for figures in AGGREGATIONS if figures[0]]))
@settings(max_examples=60, deadline=None)
def test_aggregated_levels_hold_what_the_raw_levels_inside_them_hold(
    coin: str, at_ms: int, aggregation: tuple[int | None, int | None]
) -> None:
    figures, mantissa = aggregation
    raw = ask(at_ms, type="l2Book", coin=coin)["levels"]
    coarse = ask(at_ms, type="l2Book", coin=coin, nSigFigs=figures, mantissa=mantissa)["levels"]
    for sign, fine_side, coarse_side in zip((-1, 1), raw, coarse, strict=True):
        edge = Decimal(fine_side[-1]["px"])
        near = Decimal(0)
        for level in coarse_side:
            px = Decimal(level["px"])
            if (px - edge) * sign > 0:
                break
            inside = [row for row in fine_side if near == 0 or (Decimal(row["px"]) - near) * sign > 0]
            held = sum(Decimal(row["sz"]) for row in inside if (Decimal(row["px"]) - px) * sign <= 0)
            assert Decimal(level["sz"]) == held
            near = px


@pytest.mark.parametrize(
    ("figures", "mantissa", "step"), [(5, None, 1), (5, 2, 2), (5, 5, 5), (4, None, 10), (3, None, 100), (2, None, 1000)]
)
def test_aggregation_rounds_bids_down_and_asks_up_to_the_step(figures: int, mantissa: int | None, step: int) -> None:
    mid = Decimal(ask(NOW, type="allMids")["BTC"])
    assert 10_000 < mid < 100_000
    bids, asks = ask(NOW, type="l2Book", coin="BTC", nSigFigs=figures, mantissa=mantissa)["levels"]
    assert all(Decimal(level["px"]) % step == 0 for level in bids + asks)
    assert mid - step <= Decimal(bids[0]["px"]) <= mid <= Decimal(asks[0]["px"]) <= mid + step


@given(st.sampled_from(LIVE), instants)
@settings(max_examples=40, deadline=None)
def test_mids_contexts_and_book_tell_one_story(coin: str, at_ms: int) -> None:
    bids, asks = ask(at_ms, type="l2Book", coin=coin)["levels"]
    mid = (Decimal(bids[0]["px"]) + Decimal(asks[0]["px"])) / 2
    meta, contexts = ask(at_ms, type="metaAndAssetCtxs")
    context = contexts[[entry["name"] for entry in meta["universe"]].index(coin)]
    assert Decimal(ask(at_ms, type="allMids")[coin]) == mid == Decimal(context["midPx"])
    low, high = (Decimal(price) for price in context["impactPxs"])
    assert low <= Decimal(bids[0]["px"])
    assert high >= Decimal(asks[0]["px"])
    oracle = Decimal(context["oraclePx"])
    premium = (max(Decimal(0), low - oracle) - max(Decimal(0), oracle - high)) / oracle
    assert Decimal(context["premium"]) == pytest.approx(premium, abs=Decimal("1e-10"))
    assert abs(Decimal(context["markPx"]) / mid - 1) < Decimal("0.001")
    assert abs(Decimal(context["funding"])) < Decimal("0.0005")


def test_day_volume_and_previous_price_are_those_of_the_candles() -> None:
    minute = NOW // 60_000 * 60_000
    span = {"startTime": minute - 86_400_000, "endTime": minute - 1}
    candles = ask(NOW, type="candleSnapshot", req={"coin": "ETH", "interval": "1m", **span})
    context = ask(NOW, type="metaAndAssetCtxs")[1][1]
    assert len(candles) == 1_440
    assert context["prevDayPx"] == candles[0]["o"]
    assert Decimal(context["dayBaseVlm"]) == sum(Decimal(candle["v"]) for candle in candles)
    quote = sum(Decimal(candle["v"]) * Decimal(candle["c"]) for candle in candles)
    assert Decimal(context["dayNtlVlm"]) == pytest.approx(quote, rel=Decimal("0.01"))


def test_the_price_of_impact_is_the_average_over_the_levels_taken() -> None:
    levels = [Level(100, 5, 1), Level(110, 5, 1)]
    assert impact_price(levels, 500, 1.0) == 100
    assert impact_price(levels, 1_050, 1.0) == pytest.approx(105)
    assert impact_price(levels, 10_000, 1.0) == pytest.approx(105)


def test_a_coin_without_depth_still_quotes_both_sides() -> None:
    thin = Coin("THIN", 2, 3, 20, 20.0, 1.0)
    best = touch(thin, price_at(thin, NOW), NOW)
    for sign in (-1, 1):
        levels = Side(thin, best, sign, NOW).levels(best.tick)
        assert [level.sz for level in levels][:1] == [1]
