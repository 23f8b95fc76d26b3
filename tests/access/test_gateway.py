"""The limiter and the peer's address as a sender meets them: over the product's own addresses, with the real store."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.db import connection
from redis import Redis
from rest_framework.test import APIClient

from access.peers import peer_address
from access.services import create_key
from access.throttling import PREFIX, charged, limiter
from access.windows import INHERITED, UNLIMITED, Limits
from core.clock import iso, now
from core.store import Store
from lens_project.settings.loading import SettingsError, load
from publishing.credentials import Peer, presented
from signals.models import Signal

pytestmark = pytest.mark.django_db
Change = Callable[..., None]
LOOPBACK = ip_network("127.0.0.0/8")


def body(**changes: Any) -> dict[str, Any]:
    fields = {
        "event_type": "OPEN_SIGNAL",
        "symbol": "BTC",
        "signal_direction": "long",
        "entry_price": "60000",
        "size": "0.1",
        "liquidation_price": "54000",
        "ts_utc": iso(now()),
        "source": "desk_7",
    }
    return {**fields, **changes}


@pytest.fixture
def sender(store: Redis) -> Callable[..., Any]:
    """Sends as a key with these limits; all calls of one test are one key."""
    _, text = create_key("bot", ["signals:write"], limits=Limits(burst=3))

    def send(key: str | None = text, repeat: str | None = None, peer: str = "127.0.0.1", via: str = "", **changes: Any) -> Any:
        headers = {"X-API-Key": key, "Idempotency-Key": repeat, "X-Forwarded-For": via or None}
        sent = {name: value for name, value in headers.items() if value is not None}
        return APIClient(REMOTE_ADDR=peer).post("/api/v1/signals", body(**changes), format="json", headers=sent)

    return send


def test_exactly_the_burst_then_429_with_a_wait_and_headers(sender: Callable[..., Any]) -> None:
    answers = [sender() for _ in range(5)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429, 429]
    assert answers[0]["RateLimit-Policy"] == '"burst";q=3;w=60, "sustained";q=600;w=600'
    assert [answer["RateLimit"].split(";")[1] for answer in answers[:4]] == ["r=2", "r=1", "r=0", "r=0"]
    assert 55 <= int(answers[3]["Retry-After"]) <= 60
    assert answers[3].json()["code"] == "rate_limited"


def test_invalid_requests_and_forbidden_sources_cost_nothing(sender: Callable[..., Any]) -> None:
    _, confined = create_key("bot", ["signals:write"], allowed_sources=["desk_8"], limits=Limits(burst=1))
    assert [sender(size="-1").status_code for _ in range(5)] == [400] * 5
    assert [sender(key=confined).status_code for _ in range(3)] == [403] * 3
    assert [sender().status_code for _ in range(4)] == [201, 201, 201, 429]
    assert sender(key=confined, source="desk_8").status_code == 201


def test_repetitions_are_free_with_room_and_without(sender: Callable[..., Any]) -> None:
    first = body()
    assert [sender(repeat="order-1", **first).status_code for _ in range(6)] == [201, 200, 200, 200, 200, 200]
    assert [sender().status_code for _ in range(3)] == [201, 201, 429]
    again = sender(repeat="order-1", **first)
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    assert sender(repeat="order-1", size="7").status_code == 422


def test_a_repetition_older_than_the_window_is_free_too(sender: Callable[..., Any], store: Redis) -> None:
    first = body()
    sender(repeat="order-1", **first)
    Signal.objects.update(received_at=now() - timedelta(minutes=11))
    forget(store)
    again = sender(repeat="order-1", **first)
    assert (again.status_code, again["RateLimit"].split(";")[1]) == (200, "r=3")
    assert [sender().status_code for _ in range(4)] == [201, 201, 201, 429]
    assert sender(repeat="order-1", **first).status_code == 200


def test_a_store_that_lost_its_memory_counts_a_recent_signal_once(sender: Callable[..., Any], store: Redis) -> None:
    first = body()
    sender(repeat="order-1", **first)
    forget(store)
    assert [sender(repeat="order-1", **first)["RateLimit"].split(";")[1] for _ in range(3)] == ["r=2"] * 3


def forget(store: Redis) -> None:
    for name in store.scan_iter(f"{PREFIX}key:*"):
        store.delete(name)


def test_a_signal_that_could_not_be_stored_is_given_back(sender: Callable[..., Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE signals_signal ADD CONSTRAINT refuse CHECK (source <> 'broken')")
    assert [sender(source="broken").status_code for _ in range(5)] == [409] * 5
    assert [sender().status_code for _ in range(4)] == [201, 201, 201, 429]


def test_an_error_inside_gives_the_place_back(store: Redis) -> None:
    one = Limits(per_minute=0, burst=1)
    with pytest.raises(ZeroDivisionError), charged("key:x", one, "a"):
        raise ZeroDivisionError
    with charged("key:x", one, "b") as charge:
        assert charge.accepted
    with charged("key:x", one, "c") as charge:
        assert not charge.accepted


def test_the_installations_limits_hold_for_keys_without_their_own(lens: Change, store: Redis, sender: Callable[..., Any]) -> None:
    _, text = create_key("bot", ["signals:write"], limits=INHERITED)
    lens(rate_limit_burst=2)
    assert [sender(key=text).status_code for _ in range(3)] == [201, 201, 429]
    lens(rate_limit_burst=0)
    assert sender(key=text).status_code == 201


def test_the_installations_slow_limit_is_ten_times_its_rate_in_ten_minutes(
    lens: Change, store: Redis, sender: Callable[..., Any]
) -> None:
    _, text = create_key("bot", ["signals:write"], limits=INHERITED)
    lens(rate_limit_burst=0, rate_limit_per_minute=1)
    assert [sender(key=text).status_code for _ in range(11)] == [201] * 10 + [429]


def test_an_exempt_key_is_never_held_up_and_told_of_no_limits(lens: Change, sender: Callable[..., Any]) -> None:
    _, text = create_key("load", ["signals:write"], limits=UNLIMITED)
    lens(rate_limit_burst=1)
    answers = [sender(key=text) for _ in range(12)]
    assert {answer.status_code for answer in answers} == {201}
    assert not answers[0].has_header("RateLimit")
    assert {sender(key=text, size="-1").status_code for _ in range(12)} == {400}


@pytest.mark.parametrize(
    ("failing", "status"),
    [({"key": None}, 401), ({"key": "lens_00000000_nothing"}, 401), ({"size": "-1"}, 400), ({"size": None}, 400)],
)
def test_a_peer_that_fails_ten_times_the_burst_is_told_429(
    lens: Change, sender: Callable[..., Any], failing: dict[str, Any], status: int
) -> None:
    lens(rate_limit_burst=1)
    answers = [sender(peer="198.51.100.7", **failing) for _ in range(13)]
    assert [answer.status_code for answer in answers] == [status] * 10 + [429] * 3
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert sender(peer="198.51.100.7").status_code == 201
    assert sender(peer="198.51.100.8", **failing).status_code == status


def test_hosts_of_one_ipv6_network_share_their_failures(lens: Change, sender: Callable[..., Any]) -> None:
    lens(rate_limit_burst=1)
    answers = [sender(key=None, peer=f"2001:db8::{number}") for number in range(1, 12)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]


def test_a_forged_forwarded_for_changes_nothing(lens: Change, sender: Callable[..., Any]) -> None:
    lens(trusted_networks=(ip_network("10.0.0.0/8"),), rate_limit_burst=1)
    answers = [sender(key=None, peer="198.51.100.7", via=f"10.0.0.{number}") for number in range(12)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2


def test_behind_a_trusted_proxy_the_client_is_the_peer(lens: Change, sender: Callable[..., Any]) -> None:
    lens(trusted_networks=(ip_network("10.0.0.0/8"),), trusted_proxies=(LOOPBACK,), rate_limit_burst=1)
    assert sender(key=None, via="10.0.0.5").status_code == 201
    assert sender(key=None, via="10.0.0.5").status_code == 429
    assert sender(key=None, via="10.0.0.6").status_code == 201
    assert sender(key=None, via="10.0.0.5, 198.51.100.7").status_code == 401


def test_a_trusted_proxy_in_a_trusted_network_lends_nobody_its_trust(lens: Change, sender: Callable[..., Any]) -> None:
    lens(trusted_networks=(LOOPBACK,), trusted_proxies=(LOOPBACK,))
    assert sender(key=None, via="198.51.100.7").status_code == 401
    assert sender(key=None, via="unknown").status_code == 401
    assert sender(key=None).status_code == 201


PROXIES = (ip_network("127.0.0.1/32"), ip_network("10.1.0.0/16"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("socket_peer", "forwarded", "peer"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "10.0.0.1", "203.0.113.9"),
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("127.0.0.1", "203.0.113.9:51234", "203.0.113.9"),
        ("127.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("fd00::1", " 2001:db8::1 ,", "2001:db8::1"),
        ("::ffff:127.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "10.1.0.7", "10.1.0.7"),
        ("127.0.0.1", "203.0.113.9, nonsense", ""),
        ("127.0.0.1", "203.0.113.9, nonsense, 10.1.0.7", ""),
        ("", "203.0.113.9", ""),
    ],
)
def test_the_peer_is_the_first_from_the_right_that_is_no_proxy(lens: Change, socket_peer: str, forwarded: str, peer: str) -> None:
    lens(trusted_proxies=PROXIES)
    assert peer_address(socket_peer, forwarded) == peer


@pytest.mark.parametrize(("client", "credential"), [("127.0.0.1", Peer("10.0.0.5")), ("198.51.100.7", None)])
def test_sockets_see_the_same_peer(lens: Change, client: str, credential: Peer | None) -> None:
    lens(trusted_networks=(ip_network("10.0.0.0/8"),), trusted_proxies=(LOOPBACK,))
    headers = [(b"x-forwarded-for", b"6.6.6.6"), (b"x-forwarded-for", b"10.0.0.5")]
    assert presented({"headers": headers, "subprotocols": [], "client": [client, 1]}) == credential


def test_the_proxies_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENS_TRUSTED_PROXIES", "10.1.0.0/16, fd00::/8")
    assert [str(network) for network in load().lens.trusted_proxies] == ["10.1.0.0/16", "fd00::/8"]
    monkeypatch.setenv("LENS_TRUSTED_PROXIES", "everyone")
    monkeypatch.setenv("LENS_RATE_LIMIT_BURST", "-1")
    with pytest.raises(SettingsError) as refused:
        load()
    assert all(name in str(refused.value) for name in ("LENS_TRUSTED_PROXIES", "LENS_RATE_LIMIT_BURST"))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A limiter that a busy machine does not make believe that Redis is away."""
    monkeypatch.setattr(Store.__init__, "__defaults__", (None, 30.0))
    limiter.cache_clear()
    yield
    limiter.cache_clear()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("patient")
def test_whatever_arrives_at_once_under_one_key_each_stored_signal_has_one_place(sender: Callable[..., Any], store: Redis) -> None:
    _, text = create_key("bot", ["signals:write"], limits=Limits(burst=5))
    same, other = body(), body(size="7")

    def send(number: int) -> int:
        try:
            return int(sender(key=text, repeat=f"order-{number // 12}", **(other if number % 3 else same)).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as crowd:
        answers = Counter(crowd.map(send, range(60)))
    assert answers[201] == 5
    assert set(answers) == {200, 201, 422}
    assert [store.zcard(name) for name in store.scan_iter(f"{PREFIX}key:*")] == [5]
    assert sender(key=text).status_code == 429
