"""The kind of market: named from what chance alone does not yield, confirmed, and bounded."""

import csv
import lzma
from datetime import timedelta
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrichment.bars import Bars
from enrichment.regime import by_chance, trend
from enrichment.ta_batch import Columns
from tests.enrichment.markets import RECORDED, START, walk

WORDS = {"ILLIQUID", "TREND_UP", "TREND_DOWN", "RANGE", "HIGH_VOL", "LOW_VOL", "BREAKOUT_UP", "BREAKOUT_DOWN"}


def bars(close: np.ndarray, wick: float = 0.3, volume: float = 10.0) -> Bars:
    opened = np.concatenate(([close[0]], close[:-1]))
    high, low = np.maximum(opened, close) + wick, np.minimum(opened, close) - wick
    return Bars(np.array([opened, high, low, close, np.full(len(close), volume)]), START, timedelta(hours=1))


def noise(count: int = 500, seed: int = 1) -> np.ndarray:
    """A market that comes back to where it was."""
    steps = np.random.default_rng(seed).standard_normal(count)
    return 100 + steps - np.concatenate(([0.0], steps[:-1])) * 0.9


def walked(seed: int) -> Columns:
    return Columns(Bars(np.array(walk(400, seed), dtype=float).T, START, timedelta(hours=1)))


def test_a_steady_rise_is_a_trend_and_its_mirror_the_opposite() -> None:
    close = np.concatenate((noise(400), 100 + np.arange(100) * 0.6))
    close[-1] = close[-2] - 0.05  # no new high: the trend, not a breakout
    up, down = trend(Columns(bars(close)), 14), trend(Columns(bars(400 - close)), 14)
    assert up is not None
    assert down is not None
    assert (up.regime, down.regime) == ("TREND_UP", "TREND_DOWN")
    assert up.slope_atr == pytest.approx(-down.slope_atr)
    assert up.strength(1.0) == pytest.approx(down.strength(1.0))
    assert up.strength(1.0) > 0.8
    assert (trend(Columns(bars(noise())), 14) or up).strength(0.0) < 0.5


def test_noise_is_a_range() -> None:
    seen = trend(Columns(bars(noise())), 14)
    assert seen is not None
    assert seen.regime in {"RANGE", "HIGH_VOL", "LOW_VOL"}


def test_a_close_out_of_the_range_is_a_breakout_by_margin_or_on_volume() -> None:
    close = noise()
    close[-1] = close[-21:-1].max() + 3
    seen = trend(Columns(bars(close)), 14)
    assert seen is not None
    assert seen.regime == "BREAKOUT_UP"
    close[-1] = close[-21:-1].max() + 0.3 + 0.05
    quiet = bars(close)
    word = trend(Columns(quiet), 14)
    assert word is not None
    assert word.regime != "BREAKOUT_UP"
    quiet.volume[-1] = 20
    loud = trend(Columns(quiet), 14)
    assert loud is not None
    assert loud.regime == "BREAKOUT_UP"


def test_one_bar_does_not_make_a_trend() -> None:
    close = noise()
    close[-1] = close[-2] + 0.1
    seen = trend(Columns(bars(close)), 14)
    assert seen is not None
    assert not seen.regime.startswith("TREND")


@pytest.mark.parametrize(("swing", "word"), [(6.0, "HIGH_VOL"), (0.02, "LOW_VOL")])
def test_unusual_ranges_are_named(swing: float, word: str) -> None:
    close = noise()
    seen = bars(close)
    for column, side in ((seen.high, 1), (seen.low, -1)):
        column[-25:] = np.maximum(seen.open, seen.close)[-25:] if side > 0 else np.minimum(seen.open, seen.close)[-25:]
        column[-25:] += side * swing
    if word == "LOW_VOL":
        for column in (seen.open, seen.close, seen.high, seen.low):
            column[-25:] = 100 + (column[-25:] - 100) * 0.02
    found = trend(Columns(seen), 14)
    assert found is not None
    assert found.regime == word


def test_a_market_that_hardly_trades_is_illiquid_whatever_its_prices_do() -> None:
    rising = np.concatenate((noise(400), 100 + np.arange(100) * 0.6))
    seen = bars(rising)
    for idle, word in ((24, "TREND_UP"), (25, "ILLIQUID")):
        seen.volume[-100:] = 10.0
        seen.volume[-100 : -100 + idle] = 0.0
        found = trend(Columns(seen), 14)
        assert found is not None
        assert found.regime == word


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not here")
@pytest.mark.parametrize(
    ("name", "illiquid"), [("open_2017-09-05_to_07_thin", True), ("open_2024-01_to_2024-03", False)], ids=["thin", "busy"]
)
def test_a_thin_market_of_old_is_told_from_a_busy_one(name: str, illiquid: bool) -> None:
    with lzma.open(RECORDED / "ohlcv" / "binance_btcusdt_1m" / f"{name}.csv.xz", "rt") as file:
        lines = [[float(text) for text in line[1:6]] for line in islice(csv.reader(file), 1_200) if line[0].isdigit()]
    words = [
        found.regime
        for end in range(500, len(lines), 100)
        if (found := trend(Columns(Bars(np.array(lines[end - 500 : end]).T, START, timedelta(minutes=1))), 14))
    ]
    assert words
    assert ("ILLIQUID" in words) is illiquid


def test_a_market_that_stands_still_has_no_regime() -> None:
    assert trend(Columns(bars(np.full(400, 100.0), wick=0.0)), 14) is None


@given(st.integers(0, 100_000))
@settings(max_examples=40, deadline=None)
def test_everything_stays_in_its_bounds(seed: int) -> None:
    seen = trend(walked(seed), 14)
    assert seen is not None
    assert seen.regime in WORDS
    shares = (seen.adx_pctl, seen.efficiency, seen.efficiency_pctl, seen.volatility_pctl, seen.fit)
    assert all(0 <= share <= 1 for share in shares)
    assert 0 <= seen.strength(0.0) < seen.strength(1.0) <= 1


def test_chance_itself_is_rarely_called_a_trend() -> None:
    found = [trend(walked(seed), 14) for seed in range(120)]
    trends = [seen for seen in found if seen is not None and seen.regime.startswith("TREND")]
    assert len(trends) < 0.25 * len(found)


def test_percentiles_by_chance_rise_with_the_value() -> None:
    found = by_chance("adx", np.array([0.0, 14.0, 25.0, 30.0, 40.0, 95.0]))
    assert found.tolist() == sorted(found)
    assert (found[0], found[-1]) == (0.0, 1.0)
    assert found[3] == pytest.approx(0.76, abs=0.03)
