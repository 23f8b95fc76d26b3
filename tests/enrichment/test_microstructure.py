"""The book: what is counted within a distance, what is refused for lack of sight, and what a size costs."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment.microstructure import depth, microprice_bps, slippage_bps
from enrichment.ports import Book, Level
from tests.enrichment.markets import SEEN, START

HUNDRED = Decimal(100)
Side = list[tuple[str, str]]


def book(bids: Side, asks: Side, *, step: str | None = None, whole: bool = False) -> Book:
    """A book around 100."""
    below, above = ([Level(Decimal(price), Decimal(size)) for price, size in side] for side in (bids, asks))
    width = None if step is None else Decimal(step)
    return Book("BTC", HUNDRED, below, above, None if step is None else 3, width, whole, whole, START, SEEN)


FINE = book([("99.9", "1"), ("99.8", "2")], [("100.1", "1"), ("100.2", "1")])
WIDE = book([("99", "30"), ("98", "10"), ("94", "5")], [("101", "10"), ("102", "10"), ("106", "5")], step="1")


def test_each_distance_is_answered_by_the_finest_book_that_reaches_it() -> None:
    found = depth([WIDE, FINE], (0.2, 1, 2, 5), Decimal(1), buys=True)
    bids, asks = Decimal("99.9") + Decimal("199.6"), Decimal("100.1") + Decimal("100.2")
    assert found.imbalance["0.2pct"] == (bids - asks) / (bids + asks)
    assert found.imbalance["1pct"] == Decimal(99 * 30 - 101 * 10) / Decimal(99 * 30 + 101 * 10)
    assert found.imbalance["5pct"] == Decimal(2970 + 980 - 1010 - 1020) / Decimal(2970 + 980 + 1010 + 1020)
    assert found.depth_usd == bids + asks
    assert found.step_bps == dict.fromkeys(("1pct", "2pct", "5pct"), HUNDRED)
    assert found.uncovered == ()


def test_a_distance_beyond_the_book_has_no_answer_and_says_so() -> None:
    found = depth([FINE], (0.2, 1), Decimal(1), buys=True)
    assert found.imbalance["1pct"] is None
    assert found.imbalance["0.2pct"] is not None
    assert found.uncovered == ("1pct",)


def test_one_short_side_is_enough_to_have_no_answer() -> None:
    lopsided = book([("99", "1"), ("90", "1")], [("100.5", "1")])
    assert depth([lopsided], (1,), Decimal(1), buys=True).uncovered == ("1pct",)


def test_a_side_the_venue_sent_whole_reaches_everywhere() -> None:
    assert depth([book([("99.9", "3")], [("100.1", "1")], whole=True)], (5,), Decimal(1), buys=True).uncovered == ()


def test_nothing_resting_is_null_and_not_zero() -> None:
    empty = book([("90", "1")], [("110", "1")], whole=True)
    found = depth([empty], (1,), Decimal(1), buys=True)
    assert found.imbalance == {"1pct": None}
    assert found.depth_usd == 0


@pytest.mark.parametrize(
    ("size", "buys", "expected"),
    [("1", True, "10"), ("2", True, "15"), ("2.01", True, None), ("1", False, "10"), ("3", False, "16.6667"), ("3.1", False, None)],
)
def test_the_size_walks_the_side_it_takes_from(size: str, buys: bool, expected: str | None) -> None:
    found = slippage_bps(FINE, Decimal(size), buys=buys)
    assert found == (None if expected is None else pytest.approx(Decimal(expected), abs=Decimal("0.001")))


def test_more_than_the_fine_book_shows_is_priced_on_the_wider_one() -> None:
    wider = depth([WIDE, FINE], (1,), Decimal(15), buys=True)
    assert wider.slippage_bps == (Decimal(101 * 10 + 102 * 5) / 15 - 100) * 100
    assert wider.step_bps["slippage"] == HUNDRED
    assert "slippage" not in depth([WIDE, FINE], (1,), Decimal(2), buys=True).step_bps
    assert depth([WIDE, FINE], (1,), Decimal(26), buys=True).slippage_bps is None


def test_the_microprice_leans_to_the_thinner_side() -> None:
    leaning = book([("99.9", "9")], [("100.1", "1")])
    assert microprice_bps(leaning) == Decimal(8)
    assert microprice_bps(book([], [("100.1", "1")])) is None


PRICES = st.lists(st.tuples(st.integers(1, 500), st.integers(1, 10_000)), min_size=1, max_size=20, unique_by=lambda level: level[0])


def around(below: list[tuple[int, int]], above: list[tuple[int, int]], *, whole: bool = True) -> Book:
    """Levels so many cents away, with so many hundredths of a coin."""
    bids = [(str(HUNDRED - Decimal(cents) / 100), str(Decimal(size) / 100)) for cents, size in sorted(below)]
    asks = [(str(HUNDRED + Decimal(cents) / 100), str(Decimal(size) / 100)) for cents, size in sorted(above)]
    return book(bids, asks, whole=whole)


@given(PRICES, PRICES)
def test_imbalance_is_bounded_and_turns_round_with_the_sides(below: list[tuple[int, int]], above: list[tuple[int, int]]) -> None:
    found = depth([around(below, above)], (1, 2, 5), Decimal(1), buys=True).imbalance
    assert all(value is None or -1 <= value <= 1 for value in found.values())
    only_bids = depth([book([("99.5", "1")], [("106", "1")], whole=True)], (1,), Decimal(1), buys=True)
    assert only_bids.imbalance["1pct"] == 1
    doubled = depth(
        [around([(cents, size * 2) for cents, size in below], [(c, s * 2) for c, s in above])], (1, 2, 5), Decimal(1), buys=True
    )
    assert doubled.imbalance == found


@given(PRICES, st.integers(1, 5_000), st.integers(1, 5_000))
def test_a_larger_size_never_costs_less(levels: list[tuple[int, int]], one: int, other: int) -> None:
    seen = around(levels, levels)
    small, large = (slippage_bps(seen, Decimal(size) / 100, buys=True) for size in sorted((one, other)))
    if large is not None:
        assert small is not None
        assert 0 < small <= large + Decimal("1e-18")


@given(PRICES, st.integers(1, 5_000))
def test_buying_and_selling_cost_the_same_in_a_mirrored_book(levels: list[tuple[int, int]], size: int) -> None:
    seen = around(levels, levels)
    bought, sold = (slippage_bps(seen, Decimal(size) / 100, buys=side) for side in (True, False))
    assert (bought is None) is (sold is None)
    if bought is not None:
        assert bought == pytest.approx(sold, abs=Decimal("1e-18"))
