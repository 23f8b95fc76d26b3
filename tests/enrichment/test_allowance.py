"""The request budget: what fits, when the next one fits, who goes first, and what is left of it without Redis."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from core.errors import Transient
from core.store import Store
from enrichment.providers import allowance
from enrichment.providers.allowance import RESERVED, Allowance
from tests.enrichment.conftest import forget

LIMIT = 100
MOST = round(LIMIT * (1 - RESERVED))


@pytest.fixture(params=["shared", "alone"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Redis, and none."""
    forget()
    yield Store(f"{settings.REDIS_URL}/0" if request.param == "shared" else "redis://127.0.0.1:9")
    forget()


def made(store: Store, per_minute: int | None = LIMIT) -> Allowance:
    return Allowance("hyperliquid", "venue.test", per_minute, store)


def fits(allowed: Allowance, weight: int, *, first: bool = False) -> bool:
    try:
        allowed.take(weight, first=first)
    except Transient as error:
        return error.code != "rate_limited"
    return True


def test_what_fits_is_taken_and_no_more(store: Store) -> None:
    allowed = made(store)
    assert [fits(allowed, 30) for _ in range(5)] == [True, True, True, False, False]
    assert not fits(allowed, 1)


def test_prices_may_use_the_reserve(store: Store) -> None:
    allowed = made(store)
    assert fits(allowed, MOST)
    assert not fits(allowed, 2)
    assert [fits(allowed, 5, first=True) for _ in range(3)] == [True, True, False]


def test_a_refusal_says_when_there_is_room_again(store: Store) -> None:
    allowed = made(store)
    allowed.take(60)
    with pytest.raises(Transient) as refused:
        allowed.take(60)
    assert refused.value.retry_after == pytest.approx(60, abs=1.5)
    assert refused.value.facts == {"why": "budget"}


def test_a_request_that_never_fits_is_not_promised_a_place_now(store: Store) -> None:
    with pytest.raises(Transient) as refused:
        made(store).take(LIMIT + 1, first=True)
    assert refused.value.retry_after is not None
    assert refused.value.retry_after > 0


def test_what_the_venue_wishes_binds_everyone(store: Store) -> None:
    allowed = made(store, per_minute=None)
    allowed.hold(7)
    with pytest.raises(Transient) as refused:
        allowed.take(1, first=True)
    assert refused.value.retry_after == pytest.approx(7, abs=0.5)
    assert refused.value.facts == {"why": "held"}


@pytest.mark.parametrize(("wish", "wait"), [(None, allowance.UNTOLD_WAIT_S), (3_600, allowance.LONGEST_HOLD_S)])
def test_a_wish_is_bounded_and_a_missing_one_is_a_moment(store: Store, wish: float | None, wait: float) -> None:
    allowed = made(store)
    allowed.hold(wish)
    with pytest.raises(Transient) as refused:
        allowed.take(1)
    assert refused.value.retry_after == pytest.approx(wait, abs=0.5)


def test_a_wish_to_come_at_once_holds_nobody(store: Store) -> None:
    allowed = made(store)
    allowed.hold(0)
    allowed.take(1)


def test_without_a_limit_nothing_is_refused(store: Store) -> None:
    allowed = made(store, per_minute=None)
    assert all(fits(allowed, 1_000) for _ in range(50))


def test_all_processes_together_have_one_budget() -> None:
    forget()
    each = [made(Store(f"{settings.REDIS_URL}/0")) for _ in range(4)]
    with ThreadPoolExecutor(16) as crowd:
        taken = list(crowd.map(lambda number: fits(each[number % 4], 3), range(100)))
    assert sum(taken) == MOST // 3
    forget()


def test_the_minute_slides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowance, "SPAN_S", 0.0)
    allowed = made(Store("redis://127.0.0.1:9"))
    assert all(fits(allowed, MOST) for _ in range(5))


def test_the_script_forgets_what_is_older_than_a_minute() -> None:
    forget()
    store = Store(f"{settings.REDIS_URL}/0")
    allowed = made(store)
    redis: Any = store.redis
    now, _ = redis.time()
    key = "lens:venue:venue.test:spent"
    redis.hset(key, mapping={str(now - 62): 70, str(now - 30): 20, str(now - 61): 70})
    assert fits(allowed, 70)
    with pytest.raises(Transient) as refused:
        allowed.take(20)
    assert refused.value.retry_after == pytest.approx(31, abs=1.5)
    assert str(now - 62).encode() not in redis.hgetall(key)
    forget()


def test_the_script_is_beside_its_module() -> None:
    assert Path(allowance.__file__).with_name("allowance.lua").read_text() == allowance.SCRIPT
