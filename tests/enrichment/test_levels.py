"""Support and resistance: drawn by hand where a person would see them, and properties on any market."""

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrichment.bars import Bars
from enrichment.levels import Candidate, Level, clusters, levels, pivots
from enrichment.wanted import LevelSearch
from tests.enrichment.markets import START, walk

SEARCH = LevelSearch(lookback=100, max_levels=5)


def bars(rows: list[list[float]], hours: int = 1) -> Bars:
    return Bars(np.array(rows, dtype=float).T, START, timedelta(hours=hours))


def zigzag(prices: list[float], legs: int = 8) -> Bars:
    """Straight lines between the given prices, each bar a little wider than its body."""
    path = np.concatenate([np.linspace(a, b, legs, endpoint=False) for a, b in pairwise(prices)])
    return bars([[p, p + 0.2, p - 0.2, p, 10.0] for p in [*path, prices[-1]]])


def market(seed: int, count: int = 400) -> Bars:
    return bars([[float(value) for value in row] for row in walk(count, seed, 100.0, 0.01)])


def atr_of(found: Bars) -> float:
    return float((found.high - found.low).mean())


def near(found: tuple[Level, ...], price: float) -> Level:
    return min(found, key=lambda level: abs(level.price - price))


def test_a_price_turned_at_three_times_is_the_strongest_level() -> None:
    seen = zigzag([104, 110, 102, 110, 103, 110, 105])
    found = levels(seen, SEARCH, 1.0, None)
    top = near(found, 110.2)
    assert top is found[0]
    assert (top.above, top.broken, top.strength) == (True, False, 1.0)
    assert top.price == pytest.approx(110.2, abs=0.2)
    assert top.touches == 3
    assert near(found, 102).above is False


def test_a_resistance_closed_beyond_is_support() -> None:
    found = levels(zigzag([104, 110, 102, 110, 103, 110, 105, 114]), SEARCH, 1.0, None)
    level = near(found, 110.2)
    assert (level.above, level.broken) == (False, True)


def test_a_close_just_beyond_does_not_break_it() -> None:
    found = levels(zigzag([104, 110, 102, 110, 103, 110, 105, 110.4]), SEARCH, 1.0, None)
    level = near(found, 110.2)
    assert (level.above, level.broken) == (True, False)


def test_a_pivot_is_known_three_bars_later_and_not_before() -> None:
    rows = [[10, 10.0 + high, 9, 10, 1] for high in (1, 2, 3, 9, 4, 3, 2)]
    assert (3, 1) in set(pivots(bars(rows)))
    assert not [side for _, side in pivots(bars(rows[:6])) if side > 0]


def test_of_equal_highs_the_first_is_the_pivot() -> None:
    highs = [1, 2, 3, 9, 9, 3, 2, 1]
    assert [place for place, side in pivots(bars([[10, 10.0 + high, 9, 10, 1] for high in highs])) if side > 0] == [3]


def test_the_last_days_and_weeks_extremes_are_candidates() -> None:
    rows = [[100.0, 100.5, 99.5, 100.0, 1.0] for _ in range(24 * 15)]
    rows[24 * 12 + 5][1] = 107.0  # 13 January, yesterday
    rows[24 * 9 + 3][2] = 91.0  # 10 January, Saturday of last week
    assert START.strftime("%A %d") == "Thursday 01"
    found = levels(bars(rows[: 24 * 13 + 12]), LevelSearch(lookback=30, max_levels=5), 1.0, None)
    assert near(found, 107).price == pytest.approx(107.0)
    assert near(found, 91).price == pytest.approx(91.0)


def test_the_session_average_and_round_numbers_are_candidates() -> None:
    rows = [[104.3, 104.4, 104.2, 104.3, 1.0] for _ in range(60)]
    found = levels(bars(rows), SEARCH, 0.9, 102.0)
    assert near(found, 102).price == pytest.approx(102.0)
    assert near(found, 106).price == pytest.approx(106.0)


def test_a_still_market_has_no_levels() -> None:
    assert levels(bars([[1, 1, 1, 1, 0]] * 60), SEARCH, 0.0, None) == ()


@given(st.integers(0, 10_000), st.integers(40, 400))
@settings(max_examples=60, deadline=None)
def test_what_holds_for_every_market(seed: int, count: int) -> None:
    seen = market(seed, count)
    atr = atr_of(seen)
    found = levels(seen, SEARCH, atr, float(seen.close.mean()))
    assert [level.strength for level in found] == sorted((level.strength for level in found), reverse=True)
    assert all(0 < level.strength <= 1 and level.touches >= 0 for level in found)
    for above in (False, True):
        assert len([level for level in found if level.above is above]) <= SEARCH.max_levels
    close = float(seen.close[-1])
    for level in found:
        # On the wrong side of the close only within the margin of an unbroken level.
        assert (level.price >= close - 0.25 * atr - 1e-9) if level.above else (level.price <= close + 0.25 * atr + 1e-9)
    assert found == levels(seen, SEARCH, atr, float(seen.close.mean()))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_pivots_do_not_depend_on_later_bars(seed: int) -> None:
    seen = market(seed, 120)
    cut = Bars(seen.table[:, :80], seen.start, seen.step)
    assert set(pivots(cut)) == {(place, side) for place, side in pivots(seen) if place + 3 < 80}


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_a_market_in_the_mirror_turns_at_the_mirrored_prices(seed: int) -> None:
    seen = market(seed, 150)
    mirrored = Bars(
        np.array([200 - seen.open, 200 - seen.low, 200 - seen.high, 200 - seen.close, seen.volume]), seen.start, seen.step
    )
    # The tie rule looks the same way in both.
    assert {(place, -side) for place, side in pivots(seen)} == set(pivots(mirrored))


PRICES = st.lists(st.floats(90, 110), min_size=1, max_size=60)


@given(PRICES, st.floats(0.05, 5))
@settings(max_examples=150, deadline=None)
def test_clusters_are_tight_complete_and_apart(prices: list[float], atr: float) -> None:
    found = clusters([Candidate(price, 1.0) for price in prices], atr)
    assert sorted(one.price for group in found for one in group) == sorted(prices)
    for group in found:
        assert group[-1].price - group[0].price <= atr * (1 + 1e-12)
        assert all(b.price - a.price <= 0.5 * atr * (1 + 1e-12) for a, b in pairwise(group))
    for left, right in pairwise(found):
        assert right[0].price >= left[-1].price
        apart, together = right[0].price - left[-1].price, right[-1].price - left[0].price
        assert apart > 0.5 * atr * (1 - 1e-12) or together > atr * (1 - 1e-12)


@given(PRICES, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_clusters_do_not_depend_on_the_order_of_candidates(prices: list[float], random: object) -> None:
    found = [Candidate(price, 1.0) for price in prices]
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert clusters(shuffled, 1.0) == clusters(found, 1.0)


@pytest.mark.parametrize("power", [-10, 3])
def test_turns_scale_with_the_price(power: int) -> None:
    seen, factor = market(5), 2.0**power
    scaled = Bars(seen.table * np.array([[factor]] * 4 + [[1.0]]), seen.start, seen.step)
    assert list(pivots(scaled)) == list(pivots(seen))
