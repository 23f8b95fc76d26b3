"""Books, contexts and predictions: from the simulated venue through a socket, and from what the real one once sent."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from core.clock import from_ms, now
from core.errors import Rejected, Transient
from core.money import drift_bps
from enrichment.ports import MarketDataProvider
from enrichment.providers import PROVIDERS, hyperliquid_wire
from enrichment.providers.depth import FINEST_FIRST, RAW, Aggregation, wide_enough
from enrichment.providers.hyperliquid import Hyperliquid
from tests.enrichment.conftest import Exchange, simulator
from tests.enrichment.markets import RECORDED

VENUE = RECORDED / "hyperliquid"
recordings = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not here")


@pytest.fixture(params=sorted(PROVIDERS))
def provider(request: pytest.FixtureRequest, exchange: Exchange) -> Iterator[MarketDataProvider]:
    """Each entry of the mapping, speaking to the simulated venue."""
    with closing(PROVIDERS[request.param](request.param, exchange.url)) as opened:
        yield opened


class TestTicker:
    """The price and its touch."""

    def test_the_mid_lies_between_bid_and_ask(self, provider: MarketDataProvider) -> None:
        ticker = provider.ticker("BTC")
        assert ticker.bid is not None
        assert ticker.ask is not None
        assert ticker.mid == (ticker.bid + ticker.ask) / 2
        assert ticker.spread_bps == (ticker.ask - ticker.bid) / ticker.mid * 10_000
        assert 0 < ticker.spread_bps < 2
        assert ticker.fault is None
        assert ticker.seen.as_of <= ticker.seen.available_at <= now()
        assert len(ticker.seen.digest) == 64

    @pytest.mark.parametrize(
        ("fault", "code"),
        [
            ("crossed_book", "book_crossed"),
            ("empty_book", "book_empty"),
            ("one_sided_book", "book_empty"),
            ("wrong_coin", "bad_reply"),
        ],
    )
    def test_a_book_that_cannot_be_used_leaves_the_venues_own_mid_and_says_why(
        self, provider: MarketDataProvider, exchange: Exchange, fault: str, code: str
    ) -> None:
        exchange.put("data", {"coin": "BTC", "fault": fault})
        ticker = provider.ticker("BTC")
        assert ticker.fault is not None
        assert ticker.fault.code == code
        assert (ticker.bid, ticker.ask, ticker.spread_bps, ticker.skew_ms) == (None, None, None, None)
        assert ticker.mid > 10_000

    @pytest.mark.parametrize("offset_s", [-3.0, 0.0, 3.0])
    def test_a_venue_whose_clock_is_wrong_is_told_from_a_slow_one(
        self, provider: MarketDataProvider, exchange: Exchange, offset_s: float
    ) -> None:
        exchange.put("clock", {"offset_s": offset_s})
        ticker = provider.ticker("BTC")
        assert ticker.skew_ms == pytest.approx(offset_s * 1000, abs=250)
        assert ticker.behind(timedelta(0)).total_seconds() == pytest.approx(max(-offset_s, 0), abs=0.25)
        # By a clock that is 3 s behind this process's own, a venue 3 s behind is on time.
        assert ticker.behind(timedelta(seconds=3)).total_seconds() == pytest.approx(0, abs=0.25)


class TestBook:
    """Depth as far as it was asked for."""

    @pytest.mark.parametrize("coin", ["BTC", "ETH", "SOL", "kPEPE"])
    @pytest.mark.parametrize("reach", [1, 10, 50, 100, 200, 500, 1_000])
    def test_it_reaches_as_far_as_asked_in_the_finest_steps(
        self, provider: MarketDataProvider, exchange: Exchange, coin: str, reach: int
    ) -> None:
        exchange.put("clock", {"frozen_at": "2026-09-27T14:12:25.600Z"})  # two requests, one market
        book = provider.book(coin, reach)
        assert book.reaches(reach)
        assert list(book.bids) == sorted(book.bids, reverse=True)
        assert list(book.asks) == sorted(book.asks)
        assert book.bids[0].price < book.mid < book.asks[0].price
        assert 0 < len(book.bids) <= 20
        finer = [grain for grain in FINEST_FIRST if (grain.step(book.mid) or 0) < (book.step or 0)]
        assert all(grain.covers_bps(book.mid) < reach for grain in finer)

    def test_a_near_reach_costs_one_request_and_a_far_one_two(self, provider: MarketDataProvider, exchange: Exchange) -> None:
        provider.ticker("SOL")
        provider.book("SOL", 1)
        assert exchange.requests() == {"l2Book": {"SOL": 1}}
        provider.book("SOL", 500)
        assert exchange.requests() == {"l2Book": {"SOL": 2}}

    def test_added_up_levels_hold_what_the_single_ones_held(self, provider: MarketDataProvider, exchange: Exchange) -> None:
        exchange.put("clock", {"frozen_at": "2026-09-27T14:12:25.600Z"})
        fine, wide = provider.book("BTC", 1), provider.book("BTC", 500)
        assert (fine.figures, fine.step, wide.figures) == (None, None, 2)
        edge = wide.asks[0].price
        assert sum(level.size for level in fine.asks if level.price <= edge) <= wide.asks[0].size

    @pytest.mark.parametrize(("fault", "code"), [("crossed_book", "book_crossed"), ("empty_book", "book_empty")])
    def test_a_broken_book_is_an_error(self, provider: MarketDataProvider, exchange: Exchange, fault: str, code: str) -> None:
        exchange.put("data", {"coin": "BTC", "fault": fault})
        with pytest.raises(Transient, match=code):
            provider.book("BTC", 100)

    def test_a_side_that_vanishes_from_afar_is_no_imbalance(self, provider: MarketDataProvider, exchange: Exchange) -> None:
        bids = [{"px": "100", "sz": "1", "n": 1}]
        body = json.dumps({"coin": "BTC", "time": 1_780_000_000_000, "levels": [bids, []]})
        exchange.faults({"kind": "body", "body": body, "match": {"endpoint": "l2Book"}, "after": 1})
        with pytest.raises(Transient, match="book_empty"):
            provider.book("BTC", 500)


@pytest.mark.parametrize(
    "level", [{"px": "1", "sz": "0"}, {"px": "1e400", "sz": "1"}, {"px": "1", "sz": "NaN"}, {"px": None, "sz": "1"}]
)
def test_a_level_that_cannot_be_spoils_the_book(level: dict[str, Any]) -> None:
    book = {"coin": "BTC", "time": 1, "levels": [[{"px": "0.5", "sz": "2"}], [level]]}
    with pytest.raises(Transient, match="bad_reply"):
        hyperliquid_wire.parse_book(json.dumps(book).encode(), "BTC")


@pytest.mark.parametrize(
    ("price", "reach", "grain", "step"),
    [
        ("62000", 5, Aggregation(5, 2), "2"),
        ("62000", 10, Aggregation(5, 5), "5"),
        ("62000", 20, Aggregation(4), "10"),
        ("62000", 100, Aggregation(3), "100"),
        ("62000", 500, Aggregation(2), "1000"),
        ("12000", 500, Aggregation(3), "100"),
        ("0.0046", 100, Aggregation(3), "0.00001"),
        ("111065", 20_000, Aggregation(2), "10000"),
    ],
)
def test_the_finest_aggregation_that_reaches_is_chosen(price: str, reach: int, grain: Aggregation, step: str) -> None:
    assert wide_enough(Decimal(price), reach) == grain
    assert grain.step(Decimal(price)) == Decimal(step)
    assert RAW.step(Decimal(price)) is None


class TestContext:
    """Funding, open interest and the rest."""

    def test_it_is_whole_and_agrees_with_the_price(self, provider: MarketDataProvider) -> None:
        context, ticker = provider.context("ETH"), provider.ticker("ETH")
        assert context.mark is not None
        assert context.oracle is not None
        assert context.funding is not None
        assert context.open_interest is not None
        assert context.volume_24h is not None
        assert abs(drift_bps(context.mark, ticker.mid)) < 50
        assert context.open_interest_usd == context.open_interest * context.mark
        assert context.basis_bps == (context.mark - context.oracle) / context.oracle * 10_000
        assert abs(context.funding) < Decimal("0.04")
        assert context.volume_24h > 1_000_000

    def test_one_request_serves_every_coin(self, provider: MarketDataProvider, exchange: Exchange) -> None:
        assert {provider.context(coin).coin for coin in ("BTC", "ETH", "kPEPE")} == {"BTC", "ETH", "kPEPE"}
        assert exchange.requests() == {"metaAndAssetCtxs": {"": 1}}

    def test_nulls_are_missing_and_not_zero(self, provider: MarketDataProvider, exchange: Exchange) -> None:
        exchange.put("data", {"coin": "BTC", "fault": "null_context"})
        context = provider.context("BTC")
        assert (context.funding, context.open_interest_usd, context.basis_bps, context.volume_24h) == (None, None, None, None)
        assert provider.context("ETH").funding is not None

    def test_a_whole_universe_without_the_delisted(self, provider: MarketDataProvider) -> None:
        coins = {context.coin for context in provider.contexts()}
        assert {"BTC", "kPEPE"} <= coins
        assert "MATIC" not in coins
        with pytest.raises(Transient, match="bad_reply"):
            provider.context("MATIC")


class TestPredictedFunding:
    """The next payment."""

    def test_it_is_the_venues_own_and_hourly(self, provider: MarketDataProvider) -> None:
        found = provider.predicted_funding("BTC")
        assert found is not None
        assert now() < found.pays_at <= now() + timedelta(hours=1)
        assert found.rate == provider.context("BTC").funding

    def test_a_coin_nobody_predicts_has_none(self, provider: MarketDataProvider) -> None:
        assert provider.predicted_funding("MATIC") is None


CONTEXT = {"funding": "0.0000125", "openInterest": "10.5", "markPx": "100", "oraclePx": "99.9", "dayNtlVlm": "1", "prevDayPx": "98"}


@pytest.mark.parametrize(
    ("changes", "sound"),
    [
        ({}, True),
        ({"midPx": "NaN", "impactPxs": None, "unheard": {}}, True),
        ({"premium": None}, True),
        ({"funding": "-0.01"}, True),
        ({"funding": "NaN"}, False),
        ({"funding": "Infinity"}, False),
        ({"funding": "1e400"}, False),
        ({"openInterest": "1e24"}, False),
        ({"openInterest": "-1"}, False),
        ({"markPx": "0"}, False),
        ({"oraclePx": "1e"}, False),
        ({"dayNtlVlm": []}, False),
    ],
)
def test_one_value_that_cannot_be_spoils_the_context_of_its_coin_alone(changes: dict[str, Any], sound: bool) -> None:
    body = json.dumps([{"universe": [{"name": "A"}, {"name": "B"}]}, [{**CONTEXT, **changes}, CONTEXT]]).encode()
    contexts = hyperliquid_wire.parse_contexts(body)
    assert hyperliquid_wire.parse_context(contexts, "B").mark == 100
    if sound:
        assert hyperliquid_wire.parse_context(contexts, "A").previous_day == 98
    else:
        with pytest.raises(Transient, match="bad_reply"):
            hyperliquid_wire.parse_context(contexts, "A")


@pytest.mark.parametrize("body", ["[]", "[{}]", '[{"universe": [{"name": "A"}]}, []]', '[{"universe": []}, []]', "{}"])
def test_contexts_that_do_not_pair_with_coins_are_refused(body: str) -> None:
    with pytest.raises(Transient, match="bad_reply"):
        hyperliquid_wire.parse_contexts(body.encode())


@pytest.fixture(scope="module")
def replay() -> Iterator[Exchange]:
    """The simulator with recordings in place of its own market."""
    with simulator("--replay", str(VENUE / "yassi80")) as started:
        yield started


@recordings
class TestRecordedVenue:
    """The contract again, against what the real venue once sent."""

    @pytest.fixture(params=sorted(PROVIDERS))
    def recorded(self, request: pytest.FixtureRequest, replay: Exchange) -> Iterator[MarketDataProvider]:
        with closing(PROVIDERS[request.param](request.param, replay.url)) as opened:
            yield opened

    def test_coins_are_known_by_name(self, recorded: MarketDataProvider) -> None:
        assert recorded.coin("hype") == "HYPE"
        with pytest.raises(Rejected):
            recorded.coin("NOPE")

    @pytest.mark.parametrize("coin", ["BTC", "ETH", "SOL", "HYPE"])
    def test_prices_books_and_contexts_fit_together(self, recorded: MarketDataProvider, coin: str) -> None:
        ticker, context, book = recorded.ticker(coin), recorded.context(coin), recorded.book(coin, 100)
        assert ticker.fault is None
        assert context.mark is not None
        assert abs(drift_bps(context.mark, ticker.mid)) < 20
        assert book.mid == ticker.mid
        assert context.funding == Decimal("0.0000125")
        assert context.open_interest_usd is not None
        assert context.basis_bps is not None
        assert abs(context.basis_bps) < 10

    @pytest.mark.parametrize("coin", ["BTC", "HYPE"])
    def test_funding_is_predicted_where_the_other_venues_are_null_too(self, recorded: MarketDataProvider, coin: str) -> None:
        found = recorded.predicted_funding(coin)
        assert found is not None
        assert found.pays_at > now()

    def test_candles_are_closed_and_one_after_the_other(self, recorded: MarketDataProvider) -> None:
        bars = recorded.candles("BTC", "1m", 500, now()).bars
        assert 40 <= len(bars) <= 61
        assert bars[-1].close_time <= now()
        assert all(before.close_time == after.open_time for before, after in pairwise(bars))


@recordings
def test_recorded_contexts_of_several_years_are_understood() -> None:
    contexts = hyperliquid_wire.parse_contexts((VENUE / "yassi80" / "metaAndAssetCtxs.json").read_bytes())
    found = hyperliquid_wire.parse_context(contexts, "BTC")
    assert (found.funding, found.open_interest, found.mark) == (Decimal("0.0000125"), Decimal("38359.47984"), Decimal(84981))
    text = (VENUE / "jkorf" / "Endpoints__Futures__ExchangeData__GetExchangeInfoAndTickers.txt").read_text()
    older = hyperliquid_wire.parse_contexts(text[text.index("[") :].encode())
    assert hyperliquid_wire.parse_context(older, "HPOS").mark == Decimal("8.4542")


@recordings
def test_recorded_predictions_are_understood_nulls_included() -> None:
    predictions = hyperliquid_wire.parse_predictions((VENUE / "yassi80" / "predictedFundings.json").read_bytes())
    found = hyperliquid_wire.parse_prediction(predictions, "HYPE")
    assert found is not None
    assert (found.hours, from_ms(found.pays_at).minute) == (1, 0)


@recordings
def test_recorded_books_are_understood() -> None:
    for name, coin in (("2023-05-24_l2Book_DYDX_774cb5.response.json", "DYDX"),):
        levels = hyperliquid_wire.parse_book((VENUE / "sdk_cassettes" / name).read_bytes(), coin)
        assert levels.bids[0].price < levels.asks[0].price
        assert len(levels.bids) == len(levels.asks) == 20


def test_a_venue_that_is_not_there_gives_nothing() -> None:
    with closing(Hyperliquid("hyperliquid", "http://127.0.0.1:9")) as venue, pytest.raises(Transient, match="provider_down"):
        venue.context("BTC")
