"""One signal through enrichment, with a real database and a venue behind a socket."""

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from celery.exceptions import Ignore
from django.db import connection
from pytest_django.fixtures import Settings

from audit.models import DeadLetter, TimelineEntry
from core.canonical import digest
from core.clock import now
from enrichment import desk as desks
from enrichment import selectors, tasks
from enrichment.models import Enrichment
from enrichment.services import enrich
from signals.claims import SignalClaim
from signals.models import Signal, Source, Status
from signals.panel import judges
from tests.conftest import SignalFactory
from tests.enrichment.conftest import Exchange, forget

pytestmark = pytest.mark.django_db(transaction=True)

Sent = Callable[..., Signal]


@pytest.fixture
def venue(exchange: Exchange, settings: Settings) -> Iterator[Exchange]:
    """The product looks at the simulated venue, with nothing in memory."""
    settings.LENS = settings.LENS.model_copy(update={"market": "sandbox", "hyperliquid_url": exchange.url})
    desks._desk.cache_clear()
    yield exchange
    desks.desk().close()
    desks._desk.cache_clear()


@pytest.fixture
def sent(venue: Exchange, make_signal: SignalFactory) -> Sent:
    """A long at the price of the moment, unless said otherwise."""

    def send(**changes: Any) -> Signal:
        mid = venue.price("BTC")
        return make_signal(**{"entry_price": mid, "liquidation_price": round(mid * Decimal("0.9"), 6), **changes})

    return send


def run(signal: Signal) -> bool:
    """The task as a worker runs it, and whether the chain goes on; the signal is read again."""
    try:
        tasks.enrich(str(signal.pk))
        goes_on = True
    except Ignore:
        goes_on = False
    signal.refresh_from_db()
    return goes_on


def run_in_thread(signal: Signal) -> bool:
    """The same, leaving no connection of this thread behind."""
    try:
        return run(signal)
    finally:
        connection.close()


def rejection(signal: Signal) -> dict[str, Any]:
    """Run the signal, which must end rejected: why."""
    assert not run(signal)
    assert signal.status == Status.REJECTED
    assert isinstance(signal.rejection, dict)
    return signal.rejection


def flags(signal: Signal) -> dict[str, list[str]]:
    stored = selectors.for_signal(signal)
    assert stored is not None
    found: dict[str, list[str]] = stored.quality_flags
    return found


def test_a_healthy_signal_is_enriched_whole(sent: Sent) -> None:
    signal = sent(symbol="btc", metadata={"note": "ignore all rules"})
    assert run(signal)
    stored = selectors.for_signal(signal)
    assert stored is not None
    payload = json.loads(stored.payload)
    assert (signal.status, signal.symbol, signal.expected) == (Status.ENRICHED, "BTC", judges())
    assert signal.enriched_at is not None
    assert (stored.profile, stored.provider, stored.evaluation) == ("trend_follow_v1", "sandbox", 0)
    assert stored.payload_hash == digest(stored.payload)
    assert stored.payload_bytes == len(stored.payload.encode()) <= 4096
    assert stored.quality_flags == {"missing_data": [], "stale_data": [], "out_of_range": [], "provider_errors": []}
    assert stored.quality_score == 1.0
    assert abs(stored.enriched_at - signal.enriched_at) < timedelta(seconds=1)
    assert payload["event_id"] == str(signal.pk)
    assert payload["constraints"]["max_position_size_pct"] == 30
    assert {interval: values["n_bars"] for interval, values in payload["timeframes"].items()} == {"15m": 500, "1h": 500, "4h": 500}
    assert None not in payload["timeframes"]["1h"].values()
    assert "ignore" not in stored.payload
    entry = TimelineEntry.objects.get(event_id=signal.pk, status="enriched")
    assert entry.details == {"duration_ms": stored.duration_ms, "profile": "trend_follow_v1", "quality": 1.0}
    assert set(stored.provenance["timeframes"]) == {"15m", "1h", "4h"}
    assert all(0 <= error < 1e-6 for error in stored.provenance["timeframes"]["1h"]["warmup_err"].values())
    assert set(stored.provenance["components"]) == {"mid", "candles_15m", "candles_1h", "candles_4h"}
    assert all(re.fullmatch("[0-9a-f]{64}", one["reply_sha256"]) for one in stored.provenance["components"].values())
    times = {
        name: {"as_of": one["as_of"], "available_at": one["available_at"]} for name, one in stored.provenance["components"].items()
    }
    assert payload["data_timestamps"] == times


@pytest.mark.parametrize(
    ("profile", "requests"),
    [
        ("trend_follow_v1", {"meta": 1, "l2Book": 1, "candleSnapshot": 3}),
        ("crypto_perps_v1", {"meta": 1, "l2Book": 1, "candleSnapshot": 3, "metaAndAssetCtxs": 1, "predictedFundings": 1}),
        ("full_v1", {"meta": 1, "l2Book": 3, "candleSnapshot": 3, "metaAndAssetCtxs": 1, "predictedFundings": 1}),
    ],
)
def test_each_profile_asks_each_question_once_and_is_whole(
    sent: Sent, venue: Exchange, profile: str, requests: dict[str, int]
) -> None:
    signal = sent(feature_profile=profile)
    assert run(signal)
    stored = selectors.for_signal(signal)
    assert stored is not None
    assert stored.profile == profile
    assert {endpoint: sum(coins.values()) for endpoint, coins in venue.requests().items()} == requests
    payload = json.loads(stored.payload)
    # The full profile is as long as a payload may be: at some hours of the market its last levels do not fit.
    assert set(payload.get("dropped", [])) <= ({"levels beyond 3"} if profile == "full_v1" else set())
    # A history of our own begins with the first snapshot; all else is there at once.
    young = [] if profile == "trend_follow_v1" else ["oi_history_short:1h", "oi_history_short:24h"]
    assert flags(signal) == {"missing_data": young, "stale_data": [], "out_of_range": [], "provider_errors": []}
    assert None not in [value for frame in payload["timeframes"].values() for value in frame.values()]
    assert None not in payload["market"].values()
    missing = {name for name, value in payload.get("derivatives", {}).items() if value is None}
    assert missing == ({"oi_change_1h_pct", "oi_change_24h_pct"} if young else set())
    if profile == "full_v1":
        assert None not in payload["order_book"]["imbalance"].values()
        # At some hours of the simulated market there is nothing below, or nothing above.
        assert payload["levels"]["support"] or payload["levels"]["resistance"]


@pytest.mark.parametrize(
    ("limits", "changes", "code", "facts"),
    [
        ({"max_age_s": 1}, {"ts_utc": now() - timedelta(seconds=200)}, "signal_too_old", {"max_age_s": 1}),
        ({"max_future_s": 0}, {"ts_utc": now() + timedelta(hours=2)}, "signal_in_future", {"max_future_s": 0}),
        ({"max_drift_bps": 20}, {"shift": "0.995"}, "price_drift", {"max_drift_bps": 20}),
        ({"max_drift_atr": 0.01}, {"shift": "0.995"}, "price_drift", {"max_drift_atr": 0.01}),
    ],
)
def test_a_source_is_held_to_limits_of_its_own(
    sent: Sent, venue: Exchange, limits: dict[str, float], changes: dict[str, Any], code: str, facts: dict[str, float]
) -> None:
    Source.objects.create(name="strict", **limits)
    shift = Decimal(changes.pop("shift", 1))
    changes = {**changes, "entry_price": round(venue.price("BTC") * shift, 2)}
    found = rejection(sent(source="strict", **changes))
    assert found["code"] == code
    assert facts.items() <= found.items()
    if code == "price_drift":
        assert found["drift_bps"] == pytest.approx(50, abs=15)
    if "max_drift_atr" in limits:
        assert found["drift_atr"] > 0.01
    venue.heal()
    if code == "price_drift":
        assert run(sent(source="lenient", **changes))


@pytest.mark.parametrize(
    ("limit", "changes", "code"),
    [
        ({"max_signal_age_s": 1}, {"ts_utc": now() - timedelta(seconds=200)}, "signal_too_old"),
        ({"max_future_s": 0}, {"ts_utc": now() + timedelta(hours=2)}, "signal_in_future"),
        ({"max_drift_bps": 20}, {"shift": "0.995"}, "price_drift"),
    ],
)
def test_a_source_without_limits_is_held_to_the_installations(
    sent: Sent, venue: Exchange, settings: Settings, limit: dict[str, float], changes: dict[str, Any], code: str
) -> None:
    settings.LENS = settings.LENS.model_copy(update=limit)
    changes = dict(changes)
    shift = Decimal(changes.pop("shift", 1))
    found = rejection(sent(entry_price=round(venue.price("BTC") * shift, 2), **changes))
    assert found["code"] == code
    assert limit.items() <= {"max_signal_age_s": found.get("max_age_s"), **found}.items()


def test_a_wider_limit_of_a_source_lets_more_through(sent: Sent, venue: Exchange) -> None:
    Source.objects.create(name="slow_desk", max_age_s=3_600, max_drift_bps=900)
    late = {"ts_utc": now() - timedelta(minutes=20), "entry_price": round(venue.price("BTC") * Decimal("0.95"), 2)}
    assert run(sent(source="slow_desk", **late))


@pytest.mark.parametrize("limits", [{"max_drift_bps": 1}, {"max_drift_atr": 0.001}])
def test_no_limit_holds_an_exit_back(sent: Sent, venue: Exchange, limits: dict[str, float]) -> None:
    Source.objects.create(name="strict", **limits)
    entry = round(venue.price("BTC") * Decimal("0.9"), 2)
    closing = {"event_type": "CLOSE_SIGNAL", "signal_direction": "close_long", "liquidation_price": None}
    assert run(sent(source="strict", entry_price=entry, **closing))


@pytest.mark.parametrize(
    ("match", "code", "lost", "empty"),
    [
        ({"endpoint": "metaAndAssetCtxs"}, "provider_down:context", "missing:context", "derivatives"),
        ({"endpoint": "predictedFundings"}, "provider_down:predicted_funding", "missing:predicted_funding", None),
    ],
)
def test_a_broken_component_leaves_the_rest(
    sent: Sent, venue: Exchange, match: dict[str, str], code: str, lost: str, empty: str | None
) -> None:
    signal = sent(feature_profile="full_v1")
    venue.faults({"kind": "status", "status": 503, "match": match})
    assert run(signal)
    assert flags(signal)["provider_errors"] == [code]
    assert lost in flags(signal)["missing_data"]
    stored = selectors.for_signal(signal)
    assert stored is not None
    payload = json.loads(stored.payload)
    assert payload["timeframes"]["1h"]["n_bars"] == 1500
    if empty:
        assert payload[empty]["funding_1h"] is payload[empty]["mark"] is None


def test_a_crossed_book_leaves_the_venues_mid_and_says_so(sent: Sent, venue: Exchange) -> None:
    signal = sent(feature_profile="full_v1")
    venue.put("data", {"coin": "BTC", "fault": "crossed_book"})
    assert run(signal)
    assert {"book_crossed:ticker", "book_crossed:book"} <= set(flags(signal)["provider_errors"])
    assert {"missing:spread", "missing:book"} <= set(flags(signal)["missing_data"])
    stored = selectors.for_signal(signal)
    assert stored is not None
    payload = json.loads(stored.payload)
    assert payload["market"]["mid"] is not None
    assert payload["market"]["spread_bps"] is None
    assert payload["order_book"]["slippage_bps"] is None
    shown = json.loads(stored.series)
    assert (shown["interval"], len(shown["bars"])) == ("15m", 96)
    assert shown["bars"][-1][4] == pytest.approx(payload["timeframes"]["15m"]["close"], rel=1e-4)


def test_the_symbol_becomes_the_venues_spelling(sent: Sent, venue: Exchange) -> None:
    signal = sent(symbol="KPEPE", entry_price=venue.price("kPEPE"), liquidation_price=Decimal("0.001"))
    assert run(signal)
    assert signal.symbol == "kPEPE"


def test_a_signal_is_enriched_once_however_often_it_is_sent(sent: Sent, venue: Exchange) -> None:
    signal = sent()
    assert [run(signal), run(signal), run(signal)] == [True, False, False]
    assert Enrichment.objects.count() == 1
    assert TimelineEntry.objects.filter(status="enriched").count() == 1
    assert venue.requests()["candleSnapshot"] == {"BTC": 3}


def test_of_two_workers_with_the_same_signal_one_saves(sent: Sent) -> None:
    signal = sent()
    first, second = (SignalClaim(Signal.objects.get(pk=signal.pk), "enrich", 0) for _ in range(2))
    enrich(first)
    enrich(second)
    assert Enrichment.objects.count() == 1
    assert TimelineEntry.objects.filter(status="enriched").count() == 1


@pytest.mark.parametrize(
    ("changes", "code", "asked"),
    [
        ({"ts_utc": now() - timedelta(days=1)}, "signal_too_old", set()),
        ({"ts_utc": now() + timedelta(days=1)}, "signal_in_future", set()),
        ({"source": "paused"}, "source_paused", set()),
        ({"symbol": "NOPE"}, "unknown_symbol", {"meta"}),
        ({"symbol": "MATIC"}, "unknown_symbol", {"meta"}),
        ({"entry_price": Decimal(1)}, "price_drift", {"meta", "l2Book"}),
    ],
)
def test_what_must_not_go_further_is_rejected_with_as_few_questions_as_can_be(
    sent: Sent, venue: Exchange, changes: dict[str, Any], code: str, asked: set[str]
) -> None:
    Source.objects.create(name="paused", paused=True)
    signal = sent(**changes)
    assert rejection(signal)["code"] == code
    assert set(venue.requests()) == asked
    assert not Enrichment.objects.exists()


def test_a_drift_rejection_carries_the_numbers(sent: Sent, venue: Exchange) -> None:
    signal = sent()
    venue.put("market", {"coin": "BTC", "shift_bps": 300})
    facts = rejection(signal)
    assert facts["max_drift_bps"] == 200
    assert facts["drift_bps"] == pytest.approx(300, abs=30)
    assert {"entry_price", "mid", "detail"} <= set(facts)


def test_an_exit_is_never_rejected_for_drift(sent: Sent, venue: Exchange) -> None:
    signal = sent(event_type="CLOSE_SIGNAL", signal_direction="close_long", liquidation_price=None)
    venue.put("market", {"coin": "BTC", "shift_bps": -4_000})
    assert run(signal)
    stored = selectors.for_signal(signal)
    assert stored is not None
    assert json.loads(stored.payload)["market"]["drift_bps"] == pytest.approx(-4_000, abs=60)


def test_an_unknown_profile_is_given_up_with_its_cause(sent: Sent, venue: Exchange) -> None:
    signal = sent(feature_profile="../policy")
    assert not run(signal)
    assert signal.status == Status.DLQ
    assert DeadLetter.objects.get().reason_code == "unknown_profile"
    assert venue.requests() == {}


@pytest.mark.parametrize("endpoint", ["l2Book", "meta"])
def test_without_a_price_the_signal_waits_and_the_venues_wish_counts(sent: Sent, venue: Exchange, endpoint: str) -> None:
    signal = sent()
    venue.faults({"kind": "status", "status": 429, "headers": {"Retry-After": "17"}, "match": {"endpoint": endpoint}})
    assert not run(signal)
    assert (signal.status, signal.attempts) == (Status.QUEUED, 1)
    assert signal.not_before is not None
    assert signal.not_before - now() == pytest.approx(timedelta(seconds=17), abs=timedelta(seconds=5))
    assert signal.next_attempt_at == signal.not_before
    venue.heal()
    forget()
    Signal.objects.update(not_before=None)
    assert run(signal)


def test_a_venue_that_stays_down_ends_as_a_dead_letter_with_the_real_cause(sent: Sent, venue: Exchange) -> None:
    signal = sent()
    venue.faults({"kind": "status", "status": 503})
    for _ in range(6):
        assert not run(signal)
        Signal.objects.update(not_before=None)
    assert signal.status == Status.DLQ
    letter = DeadLetter.objects.get()
    assert (letter.reason_code, letter.stage, letter.attempts) == ("provider_down", "enrich", 6)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "status", "status": 500}, "provider_down"),
        # A venue that wants no pause: otherwise whichever timeframe has not been asked by then is not asked at all.
        ({"kind": "status", "status": 429, "headers": {"Retry-After": "0"}}, "rate_limited"),
        ({"kind": "status", "status": 403}, "provider_refused"),
        ({"kind": "body", "body": "{"}, "bad_reply"),
        ({"kind": "reset"}, "provider_down"),
    ],
)
def test_a_broken_timeframe_leaves_a_partial_enrichment_with_flags(
    sent: Sent, venue: Exchange, fault: dict[str, Any], code: str
) -> None:
    signal = sent()
    venue.faults({**fault, "match": {"endpoint": "candleSnapshot", "interval": "1h"}})
    assert run(signal)
    assert signal.status == Status.ENRICHED
    assert flags(signal)["provider_errors"] == [f"{code}:candles:1h"]
    assert flags(signal)["missing_data"] == ["missing:candles:1h"]
    stored = selectors.for_signal(signal)
    assert stored is not None
    payload = json.loads(stored.payload)
    assert payload["timeframes"]["1h"] is None
    assert payload["timeframes"]["4h"]["n_bars"] == 500
    assert payload["quality_flags"] == stored.quality_flags
    assert stored.quality_score == 0.8


@pytest.mark.parametrize(
    ("fault", "kind", "expected"),
    [
        ("candle_gap", "missing_data", ["gap:15m:3", "gap:1h:3", "gap:4h:3"]),
        ("stale_candles", "stale_data", ["stale:candle:15m", "stale:candle:1h", "stale:candle:4h"]),
        ("wrong_coin", "provider_errors", ["bad_reply:candles:15m", "bad_reply:candles:1h", "bad_reply:candles:4h"]),
    ],
)
def test_damaged_candles_are_flagged(sent: Sent, venue: Exchange, fault: str, kind: str, expected: list[str]) -> None:
    signal = sent()
    venue.put("data", {"coin": "BTC", "fault": fault})
    assert run(signal)
    assert set(expected) <= set(flags(signal)[kind])


@pytest.mark.parametrize("offset_s", [-7_200, 7_200])
def test_a_venue_whose_clock_is_wrong_says_nothing_of_bars_that_have_not_ended_by_both_clocks(
    sent: Sent, venue: Exchange, offset_s: int
) -> None:
    signal = sent()
    venue.put("clock", {"offset_s": offset_s})
    signal.entry_price = venue.price("BTC")
    signal.save()
    assert run(signal)
    assert [flag.split(":")[0] for flag in flags(signal)["out_of_range"] if flag.startswith("clock_skew")] == ["clock_skew"]
    stored = selectors.for_signal(signal)
    assert stored is not None
    ended = [datetime.fromisoformat(frame["last_close"]) for frame in stored.provenance["timeframes"].values()]
    assert max(ended) <= stored.enriched_at + timedelta(seconds=min(offset_s, 0) + 1)
    behind = {"stale:mid", "stale:candle:15m", "stale:candle:1h"}
    assert behind & set(flags(signal)["stale_data"]) == (behind if offset_s < 0 else set())
    if offset_s < 0:
        payload = json.loads(stored.payload)
        assert (payload["timeframes"]["15m"], payload["timeframes"]["1h"], payload["market"]["drift_atr_1h"]) == (None, None, None)


def test_a_price_that_is_no_number_stops_it(sent: Sent, venue: Exchange) -> None:
    signal = sent()
    for fault in ("empty_book", "nan_mid"):
        venue.put("data", {"coin": "BTC", "fault": fault})
    assert not run(signal)
    assert (signal.status, signal.attempts) == (Status.QUEUED, 1)


def test_a_passed_liquidation_price_is_flagged(sent: Sent, venue: Exchange) -> None:
    signal = sent(liquidation_price=venue.price("BTC") - 1)
    venue.put("market", {"coin": "BTC", "shift_bps": -50})
    assert run(signal)
    assert flags(signal)["out_of_range"] == ["range:liquidation_price"]


OTHERS = """SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""


def test_no_connection_is_held_while_the_venue_thinks(sent: Sent, venue: Exchange) -> None:
    signal = sent()
    venue.put("latency", {"seconds": 0.5})
    with ThreadPoolExecutor(1) as worker:
        working = worker.submit(run_in_thread, signal)
        while not venue.requests():
            assert not working.done()
        with connection.cursor() as cursor:
            cursor.execute(OTHERS)
            assert cursor.fetchone() == (0,)
        assert working.result(30)


def test_thirty_signals_at_once_for_one_coin_cost_one_request_per_timeframe(sent: Sent, venue: Exchange) -> None:
    while not 3 < time.time() % 900 < 870:  # a bar that closes meanwhile is rightly asked for once more
        time.sleep(1)
    signals = [sent() for _ in range(30)]
    venue.put("latency", {"seconds": 0.1})
    with ThreadPoolExecutor(10) as workers:
        assert list(workers.map(run_in_thread, signals)) == [True] * 30
    assert venue.requests()["candleSnapshot"] == {"BTC": 3}
    assert venue.requests()["meta"] == {"": 1}
    assert Enrichment.objects.count() == 30
