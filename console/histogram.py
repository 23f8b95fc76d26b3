"""Latencies as counts by bucket, eight to a doubling: what hours add up to, and what a percentile is read from within 5 %. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

PER_DOUBLING = 8


def merged(parts: Iterable[Mapping[str, int]]) -> dict[int, int]:
    """Counts by bucket of several hours together."""
    total: dict[int, int] = defaultdict(int)
    for part in parts:
        for bucket, count in part.items():
            total[int(bucket)] += count
    return total


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The value, in the unit that was counted, below which this share lies: the middle of its bucket. None for no counts."""
    rank = share * sum(counts.values())
    reached = 0
    for bucket in sorted(counts):
        reached += counts[bucket]
        if reached >= rank:
            return float(2 ** ((bucket + 0.5) / PER_DOUBLING))
    return None
