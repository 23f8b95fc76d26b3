"""Open interest over time: what is stored, what it is compared with, what is forgotten, and what is not pretended to be known."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from core.clock import now
from enrichment import desk as desks
from enrichment import interest, tasks
from enrichment.desk import Desk, Question
from enrichment.interest import DAY, HOUR, InterestChange, PastInterest, change, keep, past
from enrichment.models import OpenInterest
from enrichment.ports import PerpContext
from enrichment.profiles import profile_named
from tests.enrichment.conftest import Exchange
from tests.enrichment.markets import SEEN

pytestmark = pytest.mark.django_db(transaction=True)

AT = now()
S = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _begins_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has its own present; what goes is measured by the database's."""
    monkeypatch.setattr(f"{__name__}.AT", now())


def context(coin: str, contracts: str | None) -> PerpContext:
    return PerpContext(coin, None, None, None if contracts is None else Decimal(contracts), None, None, None, None, SEEN)


def stored(ago: timedelta, contracts: str, coin: str = "BTC", market: str = "sandbox") -> None:
    OpenInterest.objects.create(market=market, coin=coin, at=AT - ago, contracts=Decimal(contracts))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], PastInterest(None, None)),
        ([(HOUR, "10")], PastInterest(Decimal(10), None)),
        ([(HOUR - S, "10")], PastInterest(None, None)),
        ([(HOUR + timedelta(minutes=5), "10")], PastInterest(Decimal(10), None)),
        ([(HOUR + timedelta(minutes=5) + S, "10")], PastInterest(None, None)),
        ([(HOUR + 4 * S, "9"), (HOUR + 2 * S, "10"), (HOUR + 3 * S, "8")], PastInterest(Decimal(10), None)),
        ([(DAY + 60 * S, "7")], PastInterest(None, Decimal(7))),
        ([(DAY + timedelta(minutes=16), "7")], PastInterest(None, None)),
        ([(HOUR, "10"), (DAY, "7"), (timedelta(0), "99")], PastInterest(Decimal(10), Decimal(7))),
    ],
)
def test_the_nearest_snapshot_before_the_moment_counts_if_it_is_near(
    rows: list[tuple[timedelta, str]], expected: PastInterest
) -> None:
    for ago, contracts in rows:
        stored(ago, contracts)
    stored(HOUR, "1", coin="ETH")
    stored(HOUR, "2", market="hyperliquid")
    with CaptureQueriesContext(connection) as queries:
        assert past("sandbox", "BTC", AT) == expected
    assert len(queries) == 1


@pytest.mark.parametrize(
    ("current", "before", "expected"),
    [
        ("110", "100", "10"),
        ("90", "100", "-10"),
        ("0", "100", "-100"),
        ("90", None, None),
        (None, "100", None),
        ("90", "0", None),
    ],
)
def test_growth_is_in_per_cent_and_unknown_where_either_end_is(
    current: str | None, before: str | None, expected: str | None
) -> None:
    now_, then, grown = (None if text is None else Decimal(text) for text in (current, before, expected))
    assert change(now_, PastInterest(then, None)) == InterestChange(grown, None)


def test_a_snapshot_is_the_whole_universe_at_one_moment_in_few_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interest, "CHUNK", 100)
    universe = [context(f"C{number}", str(number)) for number in range(230)]
    with CaptureQueriesContext(connection) as queries:
        assert keep("sandbox", [*universe, context("NONE", None)]) == 230
    assert sum("INSERT" in query["sql"] for query in queries) == 3
    assert OpenInterest.objects.values("at").distinct().count() == 1
    assert not OpenInterest.objects.filter(coin="NONE").exists()


def test_a_second_snapshot_in_the_same_half_minute_is_not_stored() -> None:
    assert keep("sandbox", [context("BTC", "1")]) == 1
    assert keep("sandbox", [context("BTC", "2")]) == 0
    assert keep("hyperliquid", [context("BTC", "3")]) == 1
    OpenInterest.objects.update(at=now() - timedelta(seconds=55))
    assert keep("sandbox", [context("BTC", "4")]) == 1


def test_what_is_older_than_a_day_and_an_hour_goes() -> None:
    stored(DAY + timedelta(minutes=50), "1")
    stored(DAY + timedelta(minutes=70), "2")
    stored(DAY + timedelta(minutes=70), "3", market="hyperliquid")
    keep("sandbox", [])
    assert sorted(OpenInterest.objects.values_list("contracts", flat=True)) == [1]


@pytest.fixture
def venue(exchange: Exchange, settings: Settings) -> Iterator[Exchange]:
    """The product looks at the simulated venue, with nothing in memory."""
    settings.LENS = settings.LENS.model_copy(update={"market": "sandbox", "hyperliquid_url": exchange.url})
    desks._desk.cache_clear()
    yield exchange
    desks.desk().close()
    desks._desk.cache_clear()


def test_the_appointment_stores_every_listed_coin_for_one_request(venue: Exchange) -> None:
    tasks.keep_interest()
    assert set(OpenInterest.objects.values_list("market", flat=True)) == {"sandbox"}
    assert {"BTC", "kPEPE"} <= set(OpenInterest.objects.values_list("coin", flat=True))
    assert not OpenInterest.objects.filter(coin="MATIC").exists()
    assert venue.requests() == {"metaAndAssetCtxs": {"": 1}}


@pytest.mark.parametrize("damage", [{"kind": "status", "status": 503}, {"kind": "body", "body": "[]"}])
def test_a_venue_that_says_nothing_leaves_a_hole_and_no_error(venue: Exchange, damage: dict[str, object]) -> None:
    venue.faults(damage)
    tasks.keep_interest()
    assert not OpenInterest.objects.exists()


@pytest.fixture
def look(venue: Exchange) -> Callable[[], InterestChange | None]:
    """What a signal on BTC is told of its open interest."""

    def ask() -> InterestChange | None:
        at = AT + timedelta(minutes=len(OpenInterest.objects.all()))
        found = desks.desk().look(Question("BTC", at, profile_named("crypto_perps_v1")), 10)
        return found.interest

    return ask


def test_a_signal_is_told_the_change_where_history_reaches(look: Callable[[], InterestChange | None], venue: Exchange) -> None:
    assert look() == InterestChange(None, None)
    context = desks.desk().provider.context("BTC")
    assert context.open_interest is not None
    stored(HOUR - timedelta(minutes=1), str(round(context.open_interest / 2, 10)))
    told = look()
    assert told is not None
    assert told.change_1h_pct == pytest.approx(Decimal(100), abs=Decimal("0.001"))
    assert told.change_24h_pct is None


def test_without_a_context_there_is_no_change_either(look: Callable[[], InterestChange | None], venue: Exchange) -> None:
    stored(HOUR, "1")
    venue.faults({"kind": "status", "status": 503, "match": {"endpoint": "metaAndAssetCtxs"}})
    assert look() is None


def test_a_crowd_of_signals_costs_one_query(venue: Exchange, django_assert_num_queries: object) -> None:
    asked: list[str] = []

    def counting(market: str, coin: str, at: object) -> PastInterest:
        asked.append(coin)
        return PastInterest(None, None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desks, "past", counting)
        desk: Desk = desks.desk()
        for _ in range(20):
            desk.look(Question("BTC", AT, profile_named("crypto_perps_v1")), 10)
    assert asked == ["BTC"]
