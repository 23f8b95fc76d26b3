"""Profiles and policy: what ships, inheritance of any depth, and faults named with file and line."""

from pathlib import Path

import pytest

from core.errors import Permanent
from enrichment import policy as policies
from enrichment import profiles
from enrichment.checks import configuration
from enrichment.files import FileFaultError

BASE = """\
timeframes: [15m, 1h, 4h]
bars: 500
indicators:
  ema: [9, 21, 50]
  macd: {fast: 12, slow: 26, signal: 9}
  rsi: 14
  atr: 14
"""
CLASSIC = {"ema": (9, 21, 50), "macd": {"fast": 12, "slow": 26, "signal": 9}, "rsi": 14, "atr": 14}
STRANGE_NAMES = ["", "nope", "../policy", "profiles/trend_follow_v1", "trend_follow_v1.yaml", "TREND_FOLLOW_V1", "\x00"]


def folder(path: Path, **files: str) -> Path:
    for name, text in files.items():
        (path / f"{name}.yaml").write_text(text)
    return path


def test_the_trend_profile_asks_for_three_timeframes_and_the_classic_periods() -> None:
    profile = profiles.profile_named("trend_follow_v1")
    assert profile.timeframes == ("15m", "1h", "4h")
    assert profile.bars == 500
    assert profile.indicators.model_dump(exclude_defaults=True) == CLASSIC


@pytest.mark.parametrize(
    "name", ["", "nope", "../policy", "profiles/trend_follow_v1", "trend_follow_v1.yaml", "TREND_FOLLOW_V1", "\x00"]
)
def test_an_unknown_profile_is_permanent_and_never_a_path(name: str) -> None:
    with pytest.raises(Permanent, match="unknown_profile"):
        profiles.profile_named(name)


def test_inheritance_reaches_through_every_ancestor_and_the_nearest_wins(tmp_path: Path) -> None:
    middle = "extends: base\nindicators:\n  rsi: 10\n"
    leaf = "extends: middle\ntimeframes: [5m]\nindicators:\n  macd: {fast: 5}\n"
    loaded = profiles.load(folder(tmp_path, base=BASE, middle=middle, leaf=leaf))
    assert loaded["leaf"].timeframes == ("5m",)
    assert loaded["leaf"].indicators.model_dump(exclude_defaults=True) == CLASSIC | {
        "macd": {"fast": 5, "slow": 26, "signal": 9},
        "rsi": 10,
    }
    assert loaded["middle"].timeframes == ("15m", "1h", "4h")
    assert len({profile.version for profile in loaded.values()}) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BASE + "surprise: 1\n", "bad.yaml:8: surprise"),
        (BASE.replace("rsi: 14", "rsi: soon"), "bad.yaml:6: indicators.rsi"),
        (BASE.replace("fast: 12", "fast: 30"), "bad.yaml:5: indicators.macd: Value error, fast must be shorter"),
        (BASE.replace("15m,", "15m, 7m,"), "bad.yaml:1: timeframes.1"),
        (BASE.replace("15m,", "1h,"), "a timeframe is listed twice"),
        (BASE.replace("500", "349"), "these indicators need at least 350 bars"),
        (BASE.replace("  atr: 14\n", ""), "bad.yaml:3: indicators.atr: Field required"),
        (BASE + "bars: 600\n", "bad.yaml:8: bars is given twice"),
        (BASE + "name: other\n", "bad.yaml: name: a profile is named by its file"),
        ("timeframes: [15m\n", "bad.yaml:2: "),
        ("- 15m\n", "bad.yaml: a mapping is expected"),
        ("", "bad.yaml: a mapping is expected"),
        ("extends: bad\n", "bad.yaml: extends goes in a circle: bad → bad"),
        ("extends: ghost\n", "bad.yaml: extends 'ghost', which does not exist"),
        ("x: !!python/object/apply:os.getpid []\n", "bad.yaml:1: "),
    ],
)
def test_a_faulty_profile_is_named_by_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FileFaultError) as fault:
        profiles.load(folder(tmp_path, bad=text))
    assert message in str(fault.value)


@pytest.mark.parametrize(
    ("coin", "hold", "size", "leverage"),
    [("BTC", 10, 30, 20), ("ETH", 10, 30, 20), ("SOL", 15, 20, 10), ("DOGE", 30, 10, 5), ("kPEPE", 15, 25, 10)],
)
def test_the_policy_is_per_coin_over_defaults(coin: str, hold: int, size: int, leverage: int) -> None:
    limits = policies.policy().constraints(coin)
    assert limits.model_dump() == {
        "min_hold_minutes": hold,
        "one_direction_only": True,
        "max_trades_per_hour": 4,
        "max_position_size_pct": size,
        "max_leverage": leverage,
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("DOGE: {min_hold_minutes: 30,", "DOGE: {min_hold_minuts: 30,", "policy.yaml:12: coins.DOGE.min_hold_minuts"),
        ("max_position_size_pct: 10,", "max_position_size_pct: 110,", "policy.yaml:12: coins.DOGE.max_position_size_pct"),
        ("  max_leverage: 10\n", "", "policy.yaml:2: defaults.max_leverage: Field required"),
        ("coins:", "coins: []\nextra:", "policy.yaml:8: coins"),
    ],
)
def test_a_faulty_policy_is_named_by_file_and_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = policies.FILE.read_text()
    assert old in text
    broken = tmp_path / "policy.yaml"
    broken.write_text(text.replace(old, new))
    with pytest.raises(FileFaultError) as fault:
        policies.load(broken)
    assert message in str(fault.value)


def test_the_start_is_refused_when_a_file_is_faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert configuration(None) == []
    monkeypatch.setattr(policies, "FILE", tmp_path / "policy.yaml")
    monkeypatch.setattr(profiles, "FOLDER", folder(tmp_path, bad="timeframes: 1\n"))
    policies.policy.cache_clear()
    profiles.profiles.cache_clear()
    try:
        assert [message.id for message in configuration(None)] == ["enrichment.E001", "enrichment.E002"]
        (tmp_path / "bad.yaml").write_text(BASE)
        assert [message.id for message in configuration(None)] == ["enrichment.E001", "enrichment.E003"]
    finally:
        policies.policy.cache_clear()
        profiles.profiles.cache_clear()
