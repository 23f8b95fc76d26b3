"""Randomness without state: the same seed and position give the same number in any process, on any day."""

from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

MASK = 2**64 - 1


@lru_cache(maxsize=4_096)
def seed_of(*parts: str | int) -> int:
    """A 64-bit seed for a purpose named by its parts."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest(), "little")


def hashed(seed: int, positions: NDArray[np.int64]) -> NDArray[np.uint64]:
    """64 well-mixed bits per position (the SplitMix64 finaliser)."""
    bits = positions.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def quarters(seed: int, positions: NDArray[np.int64]) -> NDArray[np.float64]:
    """Four independent uniforms in [0, 1) per position, shape (4, n), from one hash each."""
    bits = hashed(seed, positions)
    parts = [(bits >> np.uint64(16 * part)) & np.uint64(0xFFFF) for part in range(4)]
    return np.array(parts, dtype=np.float64) / 65_536.0


def value_noise(seed: int, positions: NDArray[np.int64], step: int) -> NDArray[np.float64]:
    """Smooth noise in [-1, 1]: a random value every `step`, eased in between. Positions must ascend."""
    cells = positions // step
    first = int(cells[0])
    lattice = np.arange(first, int(cells[-1]) + 2, dtype=np.int64)
    values = (hashed(seed, lattice) >> np.uint64(11)).astype(np.float64) / 2.0**52 - 1.0
    left = values[cells - first]
    if step == 1:
        return left
    part = (positions - cells * step) / step
    return left + (values[cells - first + 1] - left) * (part * part * (3.0 - 2.0 * part))


def draw(seed: int, position: int) -> int:
    """The same 64 bits for one position: an array of one would cost fifty times as much."""
    bits = (position * 0x9E3779B97F4A7C15 + seed) & MASK
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & MASK
    return bits ^ (bits >> 31)


def smooth(seed: int, at_ms: int, step_ms: int) -> float:
    """Value noise at one instant, in [-1, 1]."""
    cell, inside = divmod(at_ms, step_ms)
    left, right = ((draw(seed, corner) >> 11) / 2.0**52 - 1.0 for corner in (cell, cell + 1))
    part = inside / step_ms
    return left + (right - left) * (part * part * (3.0 - 2.0 * part))
