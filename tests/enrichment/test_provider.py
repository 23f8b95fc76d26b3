"""Every provider against its contract, and Hyperliquid's answers, good and bad, through a socket."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from core.clock import from_ms, now, to_ms
from core.errors import LensError, Permanent, Rejected, Transient
from enrichment.grid import STEP, Interval, closes
from enrichment.ports import MarketDataProvider
from enrichment.providers import PROVIDERS, breaker, hyperliquid, hyperliquid_wire, line
from enrichment.providers.breaker import FAILURES
from tests.enrichment.conftest import Exchange, forget, simulator
from tests.enrichment.markets import RECORDED, START, candles, parsed, walk, wire


@pytest.fixture(params=sorted(PROVIDERS))
def provider(request: pytest.FixtureRequest, exchange: Exchange) -> Iterator[MarketDataProvider]:
    """Each entry of the mapping, speaking to the simulated venue."""
    with closing(PROVIDERS[request.param](request.param, exchange.url)) as opened:
        yield opened


class TestContract:
    """What any provider must do."""

    @pytest.mark.parametrize(
        ("symbol", "coin"), [("BTC", "BTC"), ("btc", "BTC"), ("kPEPE", "kPEPE"), ("KPEPE", "kPEPE"), ("kpepe", "kPEPE")]
    )
    def test_a_coin_is_spelled_as_the_venue_spells_it(self, provider: MarketDataProvider, symbol: str, coin: str) -> None:
        assert provider.coin(symbol) == coin

    @pytest.mark.parametrize("symbol", ["NOPE", "PEPE", "", "MATIC", "../BTC", "BTC "])
    def test_unlisted_and_delisted_coins_are_rejected(self, provider: MarketDataProvider, symbol: str) -> None:
        with pytest.raises(Rejected, match="unknown_symbol"):
            provider.coin(symbol)

    def test_the_price_is_recent_and_positive(self, provider: MarketDataProvider) -> None:
        before = now()
        ticker = provider.ticker("BTC")
        assert ticker.mid > 0
        assert before <= ticker.seen.as_of <= now()

    def test_a_price_change_is_seen_within_a_second(self, provider: MarketDataProvider, exchange: Exchange) -> None:
        before = provider.ticker("ETH").mid
        exchange.put("market", {"coin": "ETH", "shift_bps": 500})
        time.sleep(hyperliquid.TOUCH_SERVES_S + 0.1)
        assert provider.ticker("ETH").mid > before * Decimal("1.04")

    @pytest.mark.parametrize("interval", sorted(STEP))
    def test_candles_are_closed_consecutive_and_as_many_as_asked_for(
        self, provider: MarketDataProvider, interval: Interval
    ) -> None:
        until = now()
        found = provider.candles("SOL", interval, 40, until)
        assert (found.coin, found.interval, len(found.bars)) == ("SOL", interval, 40)
        assert found.bars[-1].close_time <= until < closes(interval, found.bars[-1].close_time)
        for before, after in pairwise(found.bars):
            assert before.close_time == after.open_time == closes(interval, before.open_time)

    def test_a_bar_closes_with_its_last_millisecond(self, provider: MarketDataProvider) -> None:
        closing = from_ms(to_ms(now()) // 3_600_000 * 3_600_000)
        assert provider.candles("BTC", "1h", 3, closing).bars[-1].close_time == closing
        early = provider.candles("BTC", "1h", 3, closing - timedelta(milliseconds=1))
        assert early.bars[-1].close_time == closing - timedelta(hours=1)

    def test_history_does_not_change_with_time(self, provider: MarketDataProvider) -> None:
        until = now() - timedelta(hours=3)
        assert provider.candles("BTC", "15m", 20, until).bars == provider.candles("BTC", "15m", 32, until).bars[-20:]


FAULTS: list[tuple[dict[str, Any], type[LensError], str]] = [
    ({"kind": "status", "status": 429, "headers": {"Retry-After": "7"}}, Transient, "rate_limited"),
    ({"kind": "status", "status": 500}, Transient, "provider_down"),
    ({"kind": "status", "status": 500, "body": "null"}, Transient, "bad_reply"),
    ({"kind": "status", "status": 503}, Transient, "provider_down"),
    ({"kind": "status", "status": 403}, Permanent, "provider_refused"),
    ({"kind": "status", "status": 404}, Permanent, "provider_refused"),
    ({"kind": "status", "status": 302, "headers": {"Location": "http://127.0.0.1:1/"}}, Transient, "bad_reply"),
    ({"kind": "status", "status": 204}, Transient, "bad_reply"),
    ({"kind": "body", "body": ""}, Transient, "bad_reply"),
    ({"kind": "body", "body": "<html>"}, Transient, "bad_reply"),
    ({"kind": "body", "body": "null"}, Transient, "bad_reply"),
    ({"kind": "body", "body": "NaN"}, Transient, "bad_reply"),
    ({"kind": "body", "body": '[{"universe": [{"name": "BTC"}]}, [{'}, Transient, "bad_reply"),
    ({"kind": "body", "body": "[" * 100_000}, Transient, "bad_reply"),
    ({"kind": "status", "status": 200, "headers": {"Content-Encoding": "gzip"}}, Transient, "bad_reply"),
    ({"kind": "body", "body": "[1]"}, Transient, "bad_reply"),
    ({"kind": "body", "body": '{"BTC": null}'}, Transient, "bad_reply"),
    ({"kind": "reset"}, Transient, "provider_down"),
    ({"kind": "truncate"}, Transient, "provider_down"),
    ({"kind": "hang"}, Transient, "timeout"),
    ({"kind": "drip"}, Transient, "timeout"),
]


class TestHyperliquid:
    """Requests and answers of the one venue there is."""

    @pytest.fixture
    def venue(self, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Iterator[hyperliquid.Hyperliquid]:
        monkeypatch.setattr(line, "CALL_S", 0.4)
        for kept in ("TOUCH_SERVES_S", "BOOK_SERVES_S", "CONTEXTS_SERVE_S", "PREDICTIONS_SERVE_S", "CANDLES_SERVE_S"):
            monkeypatch.setattr(hyperliquid, kept, 0.0)
        with closing(hyperliquid.Hyperliquid("hyperliquid", exchange.url)) as opened:
            yield opened

    @pytest.mark.parametrize(
        ("fault", "kind", "code"), FAULTS, ids=lambda value: json.dumps(value)[:90] if isinstance(value, dict) else ""
    )
    @pytest.mark.parametrize("endpoint", ["allMids", "l2Book", "meta", "candleSnapshot", "metaAndAssetCtxs", "predictedFundings"])
    def test_every_fault_ends_as_the_table_says(
        self,
        venue: hyperliquid.Hyperliquid,
        exchange: Exchange,
        endpoint: str,
        fault: dict[str, Any],
        kind: type[LensError],
        code: str,
    ) -> None:
        exchange.faults({"match": {"endpoint": endpoint}, **fault})
        questions: dict[str, Callable[[str], object]] = {
            "allMids": venue.ticker,
            "l2Book": lambda coin: venue.book(coin, 100),
            "meta": venue.coin,
            "candleSnapshot": lambda coin: venue.candles(coin, "1h", 5, now()),
            "metaAndAssetCtxs": venue.context,
            "predictedFundings": venue.predicted_funding,
        }
        if endpoint == "allMids":  # asked only for want of a book
            exchange.put("data", {"coin": "BTC", "fault": "empty_book"})
        ask = questions[endpoint]
        started = time.monotonic()
        with pytest.raises(kind, match=code) as failed:
            ask("BTC")
        assert time.monotonic() - started < 3
        if isinstance(failed.value, Transient):
            assert failed.value.retry_after == (7.0 if code == "rate_limited" else None)
        exchange.heal()
        forget()
        assert ask("BTC")

    @pytest.mark.parametrize("endpoint", ["l2Book", "candleSnapshot", "metaAndAssetCtxs"])
    def test_an_answer_that_does_not_end_is_cut_off(
        self, venue: hyperliquid.Hyperliquid, exchange: Exchange, monkeypatch: pytest.MonkeyPatch, endpoint: str
    ) -> None:
        monkeypatch.setattr(line, "MOST_BYTES", 1_000)
        questions: dict[str, Callable[[], object]] = {
            "l2Book": lambda: venue.book("BTC", 10),
            "candleSnapshot": lambda: venue.candles("BTC", "1h", 500, now()),
            "metaAndAssetCtxs": lambda: venue.context("BTC"),
        }
        with pytest.raises(Transient, match="more than 1000 bytes"):
            questions[endpoint]()

    def test_a_coin_the_venue_does_not_know_is_no_failure_of_the_venue(self, venue: hyperliquid.Hyperliquid) -> None:
        for _ in range(2 * FAILURES):
            with pytest.raises(Transient, match="bad_reply"):
                venue.candles("NOPE", "1h", 5, now())
            with pytest.raises(Transient, match="bad_reply"):
                venue.book("NOPE", 5)
        assert venue.candles("BTC", "1h", 5, now()).bars
        assert venue.book("BTC", 5).bids

    def test_a_venue_that_keeps_failing_is_left_alone_and_probed(
        self, venue: hyperliquid.Hyperliquid, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(breaker, "REST_S", 0.3)
        exchange.faults({"kind": "status", "status": 503, "match": {"endpoint": "metaAndAssetCtxs"}})
        for _ in range(FAILURES + 10):
            with pytest.raises(Transient, match="provider_down") as failed:
                venue.context("BTC")
        assert exchange.requests() == {"metaAndAssetCtxs": {"": FAILURES}}
        assert isinstance(failed.value, Transient)
        assert failed.value.retry_after is not None
        assert 0 < failed.value.retry_after <= 0.3
        assert venue.ticker("BTC").fault is None
        exchange.heal()
        time.sleep(failed.value.retry_after)
        assert venue.context("BTC").mark

    def test_after_a_429_nothing_is_asked_until_the_venue_wishes_it(
        self, venue: hyperliquid.Hyperliquid, exchange: Exchange
    ) -> None:
        exchange.faults({"kind": "status", "status": 429, "headers": {"Retry-After": "1"}, "times": 1})
        with pytest.raises(Transient, match="rate_limited"):
            venue.context("BTC")
        for _ in range(5):
            with pytest.raises(Transient, match="rate_limited"):
                venue.ticker("BTC")
        assert exchange.requests() == {"metaAndAssetCtxs": {"": 1}}
        time.sleep(1.05)
        assert venue.context("BTC").mark

    def test_the_settings_weight_is_the_limit_and_prices_outlast_the_rest(self, exchange: Exchange, settings: Settings) -> None:
        settings.LENS = settings.LENS.model_copy(update={"hyperliquid_weight_per_minute": 200})
        with closing(PROVIDERS["hyperliquid"]("hyperliquid", exchange.url)) as venue:
            for coin in ("BTC", "ETH", "SOL", "BNB", "ARB", "SUI", "XRP", "LINK"):
                venue.candles(coin, "1h", 60, now())
            venue.ticker("BTC")
            with pytest.raises(Transient, match="rate_limited") as refused:
                venue.candles("AVAX", "1h", 60, now())
            assert refused.value.retry_after == pytest.approx(60, abs=5)
            tickers = [venue.ticker(coin) for coin in ("ETH", "SOL", "BNB", "ARB", "SUI", "XRP", "LINK", "DOGE")]
            assert [ticker.fault is None for ticker in tickers] == [True] * 5 + [False] * 3
            assert {ticker.fault.code for ticker in tickers if ticker.fault} == {"rate_limited"}
            assert exchange.requests()["allMids"] == {"": 1}

    def test_a_venue_that_is_not_there_is_transient(self) -> None:
        venue = hyperliquid.Hyperliquid("hyperliquid", "http://127.0.0.1:9")
        with closing(venue), pytest.raises(Transient, match="provider_down"):
            venue.ticker("BTC")

    @pytest.mark.parametrize("price", ["NaN", "Infinity", "1e400", "-1", "0", "", "1e", 62000, 62000.5, None, True, [], {}])
    def test_a_price_that_is_no_price_is_broken(self, venue: hyperliquid.Hyperliquid, exchange: Exchange, price: object) -> None:
        exchange.faults({"kind": "body", "match": {"endpoint": "allMids"}, "body": json.dumps({"BTC": price, "ETH": "3100.5"})})
        for coin in ("BTC", "ETH"):
            exchange.put("data", {"coin": coin, "fault": "empty_book"})
        with pytest.raises(Transient, match="bad_reply"):
            venue.ticker("BTC")
        assert venue.ticker("ETH").mid == Decimal("3100.5")

    def test_many_at_once_cost_one_question_of_each_kind(
        self, venue: hyperliquid.Hyperliquid, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        exchange.put("latency", {"seconds": 0.1})
        monkeypatch.setattr(hyperliquid, "TOUCH_SERVES_S", 60.0)
        with ThreadPoolExecutor(32) as crowd:
            list(crowd.map(lambda _: venue.ticker(venue.coin("BTC")), range(64)))
        assert exchange.requests() == {"meta": {"": 1}, "l2Book": {"BTC": 1}}

    def test_a_coin_listed_a_moment_ago_is_found_and_unknown_ones_cost_one_question_in_five_seconds(
        self, venue: hyperliquid.Hyperliquid, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        listed = json.dumps({"universe": [{"name": "BTC", "szDecimals": 5}]})
        exchange.faults({"kind": "body", "body": listed, "times": 1, "match": {"endpoint": "meta"}})
        for _ in range(20):
            with pytest.raises(Rejected):
                venue.coin("SOL")
        assert exchange.requests()["meta"] == {"": 1}
        monkeypatch.setattr(hyperliquid, "UNIVERSE_REST_S", 0.0)
        assert venue.coin("SOL") == "SOL"
        assert venue.coin("sol") == "SOL"
        assert exchange.requests()["meta"] == {"": 2}

    def test_retry_after_may_be_a_date(self, venue: hyperliquid.Hyperliquid, exchange: Exchange) -> None:
        date = (now() + timedelta(seconds=40)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        for wish, expected in ((date, 39.0), ("soon", None), ("-3", None), ("", None)):
            exchange.faults({"kind": "status", "status": 429, "headers": {"Retry-After": wish}})
            forget()
            with pytest.raises(Transient) as refused:
                venue.ticker("BTC")
            assert refused.value.retry_after == (None if expected is None else pytest.approx(expected, abs=2))

    def test_candles_of_another_coin_are_refused(self, venue: hyperliquid.Hyperliquid, exchange: Exchange) -> None:
        exchange.put("data", {"coin": "BTC", "fault": "wrong_coin"})
        with pytest.raises(Transient, match="bad_reply"):
            venue.candles("BTC", "1h", 5, now())

    def test_what_the_venue_left_out_stays_out(self, venue: hyperliquid.Hyperliquid, exchange: Exchange) -> None:
        whole = venue.candles("BTC", "1h", 50, now()).bars
        exchange.put("data", {"coin": "BTC", "fault": "candle_gap"})
        holed = venue.candles("BTC", "1h", 50, now()).bars
        assert len(holed) == 47
        assert set(holed) < set(whole)


END = START + 10 * STEP["1h"]


@pytest.mark.parametrize(
    ("change", "whole"),
    [
        ({}, True),
        ({"s": "ETH"}, False),
        ({"i": "15m"}, False),
        ({"t": to_ms(START)}, False),
        ({"T": to_ms(END)}, False),
        ({"o": "NaN"}, False),
        ({"h": "Infinity"}, False),
        ({"c": None}, False),
        ({"l": "0"}, False),
        ({"v": "-1"}, False),
        ({"t": "soon"}, False),
        ({"o": 62000.5}, False),
        ({"o": ""}, False),
        ({"o": "0x10"}, False),
        ({"v": "1e308"}, False),
        ({"h": "1e400"}, False),
    ],
)
def test_one_bad_bar_makes_the_answer_unusable(change: dict[str, object], whole: bool) -> None:
    rows = wire(candles(walk(10)))
    body = json.dumps([*rows[:-1], {**rows[-1], **change}]).encode()
    if whole:
        assert len(parsed(body, "1h", END)) == 10
    else:
        with pytest.raises(Transient, match="bad_reply"):
            parsed(body, "1h", END)


def test_a_forming_bar_is_dropped_whatever_it_says() -> None:
    market = candles(walk(10))
    for forming in (["1", "2", "0.5", "1.5", "0"], ["99999", "99999", "99999", "99999", "1"]):
        body = json.dumps(wire(market, forming)).encode()
        assert parsed(body, "1h", END).bars == market.bars


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not here")
def test_recorded_answers_of_the_real_venue_are_understood() -> None:
    with simulator("--replay", str(RECORDED / "hyperliquid" / "yassi80")) as replay:
        with closing(hyperliquid.Hyperliquid("hyperliquid", replay.url)) as venue:
            assert venue.coin("hype") == "HYPE"
            assert venue.ticker("BTC").mid > 10_000
            bars = venue.candles("BTC", "1m", 500, now()).bars
        assert 40 <= len(bars) <= 61
        assert all(bar.low <= bar.close <= bar.high for bar in bars)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not here")
def test_a_recorded_snapshot_loses_only_its_forming_bar() -> None:
    body = (RECORDED / "hyperliquid" / "yassi80" / "candleSnapshot_BTC_1m.json").read_bytes()
    rows = json.loads(body)
    bars = parsed(body, "1m", from_ms(rows[-1]["t"])).bars
    assert len(bars) == len(rows) - 1 == 60
    assert isinstance(bars[-1].close_time, datetime)
    assert bars[-1].close == Decimal(rows[-2]["c"])
    assert to_ms(bars[-1].close_time) == rows[-2]["T"] + 1


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not here")
def test_recorded_universe_and_prices_are_understood() -> None:
    folder = RECORDED / "hyperliquid" / "sdk_cassettes"
    universe = hyperliquid_wire.parse_universe((folder / "2023-03-30_meta_bb40c6.response.json").read_bytes())
    mids = hyperliquid_wire.parse_mids((folder / "2023-03-30_allMids_f600c8.response.json").read_bytes())
    assert universe["matic"] == "MATIC"
    assert mids["BTC"] == "23202.5"
