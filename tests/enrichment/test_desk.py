"""Readings shared by the signals of one process: asked once per bar, again when a bar is late, errors never kept."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Lock

import pytest

from core.clock import now
from core.errors import LensError, Transient
from enrichment import desk as desks
from enrichment.desk import Desk, Question
from enrichment.grid import Interval
from enrichment.indicators import Reading
from enrichment.ports import Book, Candles, PerpContext, PredictedFunding, Seen, Ticker
from enrichment.profiles import OrderBook, Profile, profile_named
from tests.enrichment.markets import SEEN, START, candles, walk

ROWS = walk(600)
LATER = START + timedelta(days=90)


class Venue:
    """A provider whose bars begin long ago; it counts what it is asked and can be late, slow or broken."""

    name = "venue"

    def __init__(self) -> None:
        self.asked: list[Interval] = []
        self.until: list[datetime] = []
        self.answered_ago = timedelta(0)
        self.late_bars = 0
        self.slow_s = 0.0
        self.broken: set[Interval] = set()
        self.contextless = False
        self._lock = Lock()

    def coin(self, symbol: str) -> str:
        return symbol

    def ticker(self, coin: str) -> Ticker:
        return Ticker(coin, Decimal(1), None, None, None, SEEN)

    def book(self, coin: str, reach_bps: int) -> Book:
        return Book(coin, Decimal(1), (), (), None, None, True, True, START, SEEN)

    def context(self, coin: str) -> PerpContext:
        if self.contextless:
            raise Transient("provider_down", "broken")
        time.sleep(self.slow_s)
        return PerpContext(coin, None, None, None, None, None, None, None, SEEN)

    def contexts(self) -> list[PerpContext]:
        return [self.context("BTC")]

    def predicted_funding(self, coin: str) -> PredictedFunding | None:
        time.sleep(self.slow_s)
        return PredictedFunding(coin, Decimal("0.0001"), START, SEEN)

    def candles(self, coin: str, interval: Interval, count: int, until: datetime) -> Candles:
        with self._lock:
            self.asked.append(interval)
            self.until.append(until)
        time.sleep(self.slow_s)
        if interval in self.broken:
            raise Transient("provider_down", "broken")
        whole = candles(ROWS, interval, coin=coin)
        closed = sum(bar.close_time <= until for bar in whole.bars) - self.late_bars
        then = now() - self.answered_ago
        columns = (whole.starts[:closed], whole.texts[:closed], whole.numbers[: 5 * closed])
        return Candles(coin, interval, *columns, Seen(then, then, "")).last(count)

    def close(self) -> None:
        pass


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def desk(venue: Venue) -> Iterator[Desk]:
    made = Desk(venue)
    yield made
    made.close()


@pytest.fixture
def profile() -> Profile:
    return profile_named("trend_follow_v1")


AT = START + timedelta(hours=120, minutes=1)


def look(desk: Desk, coin: str, profile: Profile, at: datetime, within_s: float = 10) -> Mapping[Interval, Reading | LensError]:
    return desk.look(Question(coin, at, profile), within_s).readings


def widened(profile: Profile) -> Profile:
    """The same, asking for derivatives and a book of five per cent."""
    return profile.model_copy(update={"derivatives": True, "order_book": OrderBook(depth_pct=(5,))})


def hourly(found: object) -> Reading:
    assert isinstance(found, Reading)
    return found


def test_a_hundred_signals_at_once_cost_one_request_per_timeframe(desk: Desk, venue: Venue, profile: Profile) -> None:
    venue.slow_s = 0.05
    with ThreadPoolExecutor(100) as crowd:
        found = list(crowd.map(lambda _: look(desk, "BTC", profile, AT), range(100)))
    assert sorted(venue.asked) == ["15m", "1h", "4h"]
    assert all(one == found[0] for one in found)


def test_coins_do_not_share(desk: Desk, venue: Venue, profile: Profile) -> None:
    look(desk, "BTC", profile, AT)
    look(desk, "ETH", profile, AT)
    assert len(venue.asked) == 6


def test_a_timeframe_is_asked_for_again_when_its_next_bar_has_closed(
    desk: Desk, venue: Venue, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks, "ASK_AGAIN_S", 0.0)
    first = look(desk, "BTC", profile, AT)
    look(desk, "BTC", profile, AT + timedelta(minutes=13))
    assert len(venue.asked) == 3
    second = look(desk, "BTC", profile, AT + timedelta(minutes=14))
    assert venue.asked[3:] == ["15m"]
    assert hourly(first["1h"]) is hourly(second["1h"])
    assert hourly(second["15m"]).last_close == START + timedelta(hours=120, minutes=15)


def test_a_late_bar_is_asked_for_again_but_not_at_once(
    desk: Desk, venue: Venue, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue.late_bars = 1
    look(desk, "BTC", profile, AT)
    look(desk, "BTC", profile, AT)
    assert len(venue.asked) == 3
    monkeypatch.setattr(desks, "ASK_AGAIN_S", 0.0)
    venue.late_bars = 0
    found = look(desk, "BTC", profile, AT)
    assert len(venue.asked) == 6
    assert hourly(found["1h"]).last_close == AT - timedelta(minutes=1)


@pytest.mark.parametrize(("after_s", "answered_ago_s", "kept"), [(1.9, 0, False), (2.0, 0, True), (3.0, 1.5, False)])
def test_a_bar_that_closed_only_just_now_is_read_once_more(
    desk: Desk,
    venue: Venue,
    profile: Profile,
    monkeypatch: pytest.MonkeyPatch,
    after_s: float,
    answered_ago_s: float,
    kept: bool,
) -> None:
    """Its last trades may have come after its end, and 4 hours are long. An answer another process got is as old as it says."""
    monkeypatch.setattr(desks, "ASK_AGAIN_S", 0.0)
    venue.answered_ago = timedelta(seconds=answered_ago_s)
    closing = START + timedelta(hours=120)
    for again in (after_s, after_s + 60):
        look(desk, "BTC", profile, closing + timedelta(seconds=again))
    assert len(venue.asked) == (3 if kept else 6)


def test_what_has_not_closed_by_the_venues_own_clock_is_not_asked_for(desk: Desk, venue: Venue, profile: Profile) -> None:
    at = START + timedelta(hours=120, seconds=3)
    found = desk.look(Question("BTC", at, profile, timedelta(seconds=5)), 10).readings
    assert venue.until == [at - timedelta(seconds=5)] * 3
    assert hourly(found["1h"]).last_close == START + timedelta(hours=119)


def test_one_broken_timeframe_leaves_the_others_and_is_tried_again(desk: Desk, venue: Venue, profile: Profile) -> None:
    venue.broken = {"1h"}
    found = look(desk, "BTC", profile, AT)
    error = found["1h"]
    assert isinstance(error, LensError)
    assert error.code == "provider_down"
    assert isinstance(found["15m"], Reading)
    assert isinstance(found["4h"], Reading)
    venue.broken = set()
    assert isinstance(look(desk, "BTC", profile, AT)["1h"], Reading)
    assert venue.asked.count("1h") == 2
    assert venue.asked.count("4h") == 1


def test_what_takes_too_long_is_a_timeout_and_serves_the_next_signal(desk: Desk, venue: Venue, profile: Profile) -> None:
    venue.slow_s = 3
    started = time.monotonic()
    found = look(desk, "BTC", profile, AT, 0.1)
    assert time.monotonic() - started < 2
    assert [error.code for error in found.values() if isinstance(error, LensError)] == ["timeout"] * 3
    assert all(isinstance(one, Reading) for one in look(desk, "BTC", profile, AT).values())
    assert len(venue.asked) == 3


def test_a_coin_without_history_has_an_empty_reading(desk: Desk, profile: Profile) -> None:
    found = hourly(look(desk, "BTC", profile, START)["1h"])
    assert (found.n_bars, found.last_close, found.close) == (0, None, None)
    assert set(found.values.values()) == {None}


@pytest.mark.django_db(transaction=True)
def test_everything_is_asked_for_side_by_side_and_only_what_is_wanted(desk: Desk, venue: Venue, profile: Profile) -> None:
    venue.slow_s = 0.3
    started = time.monotonic()
    found = desk.look(Question("BTC", AT, widened(profile)), 10)
    assert time.monotonic() - started < 0.6
    assert isinstance(found.context, PerpContext)
    assert isinstance(found.predicted, PredictedFunding)
    assert {reach: type(book) for reach, book in found.books.items()} == {0: Book, 500: Book}
    lean = desk.look(Question("BTC", AT, profile), 10)
    assert (lean.context, lean.predicted, lean.books) == (None, None, {})


@pytest.mark.django_db(transaction=True)
def test_a_context_that_cannot_be_had_leaves_its_error_and_the_rest(desk: Desk, venue: Venue, profile: Profile) -> None:
    venue.contextless = True
    found = desk.look(Question("BTC", AT, widened(profile)), 10)
    assert isinstance(found.context, Transient)
    assert isinstance(found.predicted, PredictedFunding)
    assert isinstance(found.readings["1h"], Reading)
