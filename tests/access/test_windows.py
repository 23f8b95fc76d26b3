"""The limiter's arithmetic against a plain model: in memory and in Redis, with a clock of the test's own."""

import itertools
import multiprocessing
from typing import Any

import pytest
from django.conf import settings
from hypothesis import HealthCheck, given
from hypothesis import settings as run
from hypothesis import strategies as st
from redis import Redis

from access.throttling import PREFIX, Limiter
from access.windows import MICROSECONDS, UNLIMITED, Limits, LocalWindows, Ruling, Window, windows
from tests.access.model import Model

START = 1_763_724_000_000_000
SHORT, LONG = 60 * MICROSECONDS, 600 * MICROSECONDS
_names = itertools.count()

pauses = st.sampled_from([0, 0, 0, 1, 999_999, 20 * MICROSECONDS, SHORT - 1, SHORT, SHORT + 1, LONG - 1, LONG])
steps = st.lists(st.tuples(pauses, st.sampled_from(["new", "new", "new", "again", "refund"])), max_size=60)
asked_for = st.builds(
    lambda burst, per_minute: windows(Limits(per_minute, burst), Limits()),
    burst=st.integers(0, 5),
    per_minute=st.integers(0, 1),
).filter(bool)


class Clock:
    """Microseconds that pass when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


def agree(rules: LocalWindows | Limiter, clock: Clock, asked: tuple[Window, ...], story: list[tuple[int, str]]) -> None:
    """Play a story to the limiter and to the model; every ruling must be the model's."""
    who, model, last = f"test:{next(_names)}", Model(asked), "0"
    for number, (pause, what) in enumerate(story):
        clock.now += pause
        if what == "refund":
            rules.refund(who, last)
            model.refund(last)
            continue
        last = str(number) if what == "new" else last
        ruling = rules.charge(who, last, asked)
        assert ruling.accepted == model.charge(last, clock.now)
        assert ruling.held == tuple(model.held(window, clock.now) for window in asked)
        check_wait(ruling, model, clock.now)


def check_wait(ruling: Ruling, model: Model, now: int) -> None:
    """Truthful to the microsecond: at the end of the wait there is room, and just before there is none."""
    if ruling.accepted:
        assert ruling.wait == 0
    else:
        assert model.room(now + ruling.wait)
        assert not model.room(now + ruling.wait - 1)
        assert 0 < ruling.wait <= ruling.retry_after * MICROSECONDS < ruling.wait + MICROSECONDS


@given(asked=asked_for, story=steps)
def test_in_memory_every_ruling_is_the_models(asked: tuple[Window, ...], story: list[tuple[int, str]]) -> None:
    clock = Clock()
    agree(LocalWindows(clock), clock, asked, story)


@run(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=asked_for, story=steps)
def test_in_redis_every_ruling_is_the_models(store: Redis, asked: tuple[Window, ...], story: list[tuple[int, str]]) -> None:
    clock = Clock()
    agree(Limiter(settings.REDIS_URL, 1, clock), clock, asked, story)


@pytest.fixture(params=["memory", "redis"])
def rules(request: pytest.FixtureRequest, store: Redis) -> tuple[LocalWindows | Limiter, Clock]:
    clock = Clock()
    return (LocalWindows(clock) if request.param == "memory" else Limiter(settings.REDIS_URL, 1, clock)), clock


Rules = tuple[LocalWindows | Limiter, Clock]
FIVE = (Window("burst", 5, 60),)


def test_exactly_five_pass_then_none_until_the_first_leaves(rules: Rules) -> None:
    limiter, clock = rules
    rulings = []
    for number in range(8):
        rulings.append(limiter.charge("a", str(number), FIVE))
        clock.now += MICROSECONDS
    assert [ruling.accepted for ruling in rulings] == [True] * 5 + [False] * 3
    assert [ruling.retry_after for ruling in rulings[5:]] == [55, 54, 53]


def test_who_keeps_trying_while_refused_waits_no_longer(rules: Rules) -> None:
    limiter, clock = rules
    for number in range(5):
        limiter.charge("a", str(number), FIVE)
    for number in range(590):
        clock.now += MICROSECONDS // 10
        assert not limiter.charge("a", f"refused {number}", FIVE).accepted
    clock.now = START + SHORT
    assert [limiter.charge("a", f"later {number}", FIVE).accepted for number in range(6)] == [True] * 5 + [False]


def test_a_lowered_limit_holds_at_once_and_its_wait_is_true(rules: Rules) -> None:
    limiter, clock = rules
    for number in range(5):
        limiter.charge("a", str(number), FIVE)
        clock.now += MICROSECONDS
    refused = limiter.charge("a", "more", (Window("burst", 2, 60),))
    assert (refused.accepted, refused.retry_after) == (False, 58)


def test_one_identity_costs_another_nothing(rules: Rules) -> None:
    limiter, _ = rules
    assert [limiter.charge(who, "1", (Window("burst", 1, 60),)).accepted for who in ("a", "b")] == [True, True]


def test_a_clock_set_back_holds_nobody_up_for_longer_than_a_window(store: Redis) -> None:
    clock = Clock()
    limiter = Limiter(settings.REDIS_URL, 1, clock)
    for number in range(5):
        limiter.charge("a", str(number), FIVE)
    clock.now -= 1000
    assert not limiter.charge("a", "a blink back", FIVE).accepted
    clock.now -= 3600 * MICROSECONDS
    assert limiter.charge("a", "an hour back", FIVE).accepted


def test_what_is_kept_leaves_by_itself_and_refusals_keep_nothing(store: Redis) -> None:
    limiter = Limiter(settings.REDIS_URL, 1)
    for number in range(50):
        limiter.charge("a", str(number), FIVE)
    assert store.zcard(f"{PREFIX}a") == 5
    assert 0 < int(str(store.pttl(f"{PREFIX}a"))) <= 60_000


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (Limits(), {"burst": 120, "sustained": 600}),
        (Limits(per_minute=6), {"burst": 120, "sustained": 60}),
        (Limits(burst=0), {"sustained": 600}),
        (Limits(per_minute=0), {"burst": 120}),
        (UNLIMITED, {}),
    ],
)
def test_own_limits_replace_the_installations_and_zero_is_off(own: Limits, expected: dict[str, int]) -> None:
    assert {window.name: window.limit for window in windows(own, Limits(60, 120))} == expected


def test_an_installation_without_limits_has_none() -> None:
    assert windows(Limits(), Limits(0, 0)) == ()


def test_the_headers_say_policy_what_is_left_and_when_it_grows() -> None:
    asked = windows(Limits(), Limits(60, 120))
    taken = Ruling(asked, accepted=True, fresh=True, wait=0, held=(20, 20), leaves=(59_000_001, 599_000_000))
    assert taken.headers == {
        "RateLimit-Policy": '"burst";q=120;w=60, "sustained";q=600;w=600',
        "RateLimit": '"burst";r=100;t=60, "sustained";r=580;t=599',
    }
    refused = Ruling(asked, accepted=False, fresh=False, wait=4_000_001, held=(120, 130), leaves=(4_000_001, 1))
    assert refused.headers["Retry-After"] == "5"


def _attempts(order: tuple[int, int | None, tuple[Window, ...], int]) -> int:
    """In a process of its own: so many attempts; how many were accepted."""
    share, at, asked, count = order
    limiter = Limiter(settings.REDIS_URL, 4, None if at is None else lambda: at)
    return sum(limiter.charge("crowd", f"{share}:{at}:{number}", asked).accepted for number in range(count))


@pytest.fixture
def crowd() -> Any:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        yield pool


def rush(crowd: Any, at: int | None, asked: tuple[Window, ...], each: int) -> int:
    """Four processes at once; how many requests were accepted together."""
    return sum(crowd.map(_attempts, [(share, at, asked, each) for share in range(4)], chunksize=1))


def test_four_processes_at_once_get_exactly_the_limit(store: Redis, crowd: Any) -> None:
    assert rush(crowd, None, windows(Limits(), Limits(60, 120)), 100) == 120


def test_four_processes_agree_with_the_model_minute_by_minute(store: Redis, crowd: Any) -> None:
    asked = windows(Limits(burst=30, per_minute=7), Limits())
    model, at, got, expected = Model(asked), START, [], []
    for pause in (0, 30, 30, 1, 59, 60, 300, 119, 1, 60):
        at += pause * MICROSECONDS
        got.append(rush(crowd, at, asked, 12))
        expected.append(sum(model.charge(f"{at}:{number}", at) for number in range(48)))
    assert got == expected
    assert 0 in got
