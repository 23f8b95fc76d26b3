"""What the order book says: imbalance within a distance, and what taking the signal's size would cost. Pure.

A book shows at most twenty levels a side, so a fine one ends a few basis points from the mid. Each question is put to the finest
book that reaches far enough, and has no answer when none does: part of a depth would look like all of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from core.money import BPS
from enrichment.ports import Book, Level

_ONE_PCT_BPS = 100


@dataclass(frozen=True, slots=True)
class Depth:
    """The book around the mid.

    `imbalance` by distance in per cent: (bids − asks) / (bids + asks) in USD, −1 to 1; None beyond what is known, and where nothing
    rests. `step_bps` is how far off the edge of that depth may be: the width of a level. `depth_usd` rests within the smallest
    distance. `slippage_bps` is the average price of the signal's size against the mid, None when more is asked than is shown; where
    the finest book does not hold so much, `step_bps["slippage"]` says by how much it may be less.
    `microprice_bps` is the mid weighted by the opposite touch sizes, against the plain one.
    """

    imbalance: dict[str, Decimal | None] = field(default_factory=dict)
    step_bps: dict[str, Decimal] = field(default_factory=dict)
    uncovered: tuple[str, ...] = ()
    depth_usd: Decimal | None = None
    slippage_bps: Decimal | None = None
    microprice_bps: Decimal | None = None


def depth(books: Iterable[Book], distances_pct: Sequence[float], size: Decimal, *, buys: bool) -> Depth:
    """Everything above from the books there are, in any order; `buys` says which side the signal takes from."""
    finest_first = sorted(books, key=lambda book: book.step or Decimal(0))
    served = {f"{pct:g}pct": _serving(finest_first, pct) for pct in distances_pct}
    sums = {
        name: None if book is None else _resting(book, pct) for (name, book), pct in zip(served.items(), distances_pct, strict=True)
    }
    nearest = next(iter(sums.values()), None)
    costs = ((book, slippage_bps(book, size, buys=buys)) for book in finest_first)
    filling, cost = next(((book, cost) for book, cost in costs if cost is not None), (None, None))
    used = {**served, "slippage": filling}
    return Depth(
        imbalance={name: None if both is None else _imbalance(*both) for name, both in sums.items()},
        step_bps={name: book.step / book.mid * BPS for name, book in used.items() if book is not None and book.step is not None},
        uncovered=tuple(name for name, book in served.items() if book is None),
        depth_usd=None if nearest is None else nearest[0] + nearest[1],
        slippage_bps=cost,
        microprice_bps=microprice_bps(finest_first[0]) if finest_first else None,
    )


def slippage_bps(book: Book, size: Decimal, *, buys: bool) -> Decimal | None:
    """The average price of taking `size` coins, in bps from the mid, + to one's cost; None when the book shows less than that."""
    left, paid = size, Decimal(0)
    for level in book.asks if buys else book.bids:
        taken = min(left, level.size)
        paid += taken * level.price
        left -= taken
        if not left:
            change = (paid / size - book.mid) / book.mid * BPS
            return change if buys else -change
    return None


def microprice_bps(book: Book) -> Decimal | None:
    """Where the touch leans, + up; None when a side is empty."""
    if not (book.bids and book.asks):
        return None
    bid, ask = book.bids[0], book.asks[0]
    leaning = (ask.price * bid.size + bid.price * ask.size) / (bid.size + ask.size)
    return (leaning - book.mid) / book.mid * BPS


def _serving(finest_first: Sequence[Book], pct: float) -> Book | None:
    reach = Decimal(str(pct)) * _ONE_PCT_BPS
    return next((book for book in finest_first if book.reaches(reach)), None)


def _resting(book: Book, pct: float) -> tuple[Decimal, Decimal]:
    """USD on the bid and on the ask side within the distance."""
    share = Decimal(str(pct)) / 100
    low, high = book.mid * (1 - share), book.mid * (1 + share)
    return _usd(level for level in book.bids if level.price >= low), _usd(level for level in book.asks if level.price <= high)


def _usd(levels: Iterable[Level]) -> Decimal:
    return sum((level.price * level.size for level in levels), Decimal(0))


def _imbalance(bids: Decimal, asks: Decimal) -> Decimal | None:
    return (bids - asks) / (bids + asks) if bids + asks else None
