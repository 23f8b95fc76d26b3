"""The judge made of rules: legal for every payload, mirror-symmetric, and worse data never makes it bolder."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.clients import client_for
from evaluation.clients.baseline import opinion
from evaluation.facts import read
from evaluation.parsing import Parsed, parse
from evaluation.ports import Endpoint, Limits
from evaluation.prompting import HOME, render
from tests.evaluation.cases import FALLING, FRAME, NO_FLAGS, closing, facts, payload

ALL_DOWN = {"15m": FALLING, "1h": FALLING, "4h": FALLING}
NOTHING = {"15m": None, "1h": None, "4h": None}


@pytest.mark.parametrize(
    ("given_payload", "decision"),
    [
        (payload(), "FOLLOW_ENTER"),
        (payload(timeframes=ALL_DOWN), "IGNORE"),
        (payload(signal_direction="short", liquidation_price=66_000), "IGNORE"),
        (payload(signal_direction="short", liquidation_price=66_000, timeframes=ALL_DOWN), "FOLLOW_ENTER"),
        (payload(liquidation_price=58_000), "IGNORE"),
        (payload(timeframes=NOTHING), "IGNORE"),
        (payload(timeframes=None, market=None, constraints=None, quality_flags=None), "IGNORE"),
        (closing(), "HOLD"),
        (closing(timeframes=ALL_DOWN), "FOLLOW_EXIT"),
        (closing(timeframes=NOTHING), "FOLLOW_EXIT"),
        (closing(timeframes={"1h": FRAME, "4h": None, "15m": None}), "TIGHTEN_STOP"),
    ],
)
def test_the_rules_follow_the_trend_and_stay_out_without_one(given_payload: str, decision: str) -> None:
    assert opinion(read(given_payload))["decision"] == decision


def test_entering_always_names_an_atr_stop_and_a_size_within_policy() -> None:
    answer = opinion(facts())
    assert answer["risk_plan"] == {"stop_method": "atr", "stop_level": None, "atr_multiple": 2.0, "trail_pct": None}
    assert 0 < answer["size_pct"] <= 30


def mirrored(timeframe: dict[str, float]) -> dict[str, float]:
    """The same bar upside down around 60 000."""
    flipped = {name: 120_000 - value for name, value in timeframe.items() if name.startswith("ema") or name == "close"}
    return {**timeframe, **flipped, "macd_hist": -timeframe["macd_hist"], "rsi_14": 100 - timeframe["rsi_14"]}


@pytest.mark.parametrize("timeframe", [FRAME, FALLING, {**FRAME, "rsi_14": 75}, {**FRAME, "ema_21": 60_500}])
def test_a_short_in_the_mirrored_market_is_judged_like_a_long(timeframe: dict[str, float]) -> None:
    long = opinion(facts(timeframes={"1h": timeframe}))
    short = opinion(facts(timeframes={"1h": mirrored(timeframe)}, signal_direction="short", liquidation_price=66_000))
    assert (long["decision"], long["confidence"]) == (short["decision"], short["confidence"])


def test_a_quality_flag_never_raises_the_confidence() -> None:
    flagged = facts(quality_flags={**NO_FLAGS, "stale_data": ["stale:mid"]})
    assert opinion(flagged)["confidence"] < opinion(facts())["confidence"]


def test_the_event_id_changes_nothing() -> None:
    assert opinion(facts(event_id="x")) == opinion(facts())


def test_its_evidence_cites_what_is_in_the_payload() -> None:
    seen = facts()
    answer = opinion(seen)
    cited = answer["evidence_for"] + answer["evidence_against"]
    assert cited
    assert all(float(seen.at(item["field"])) == item["value"] for item in cited)


def test_its_reasons_are_words_of_the_prompt() -> None:
    vocabulary = set(re.findall(r"[a-z]+(?:_[a-z]+)+", (HOME / "core_v1.md").read_text()))
    used = re.findall(r'"([a-z]+(?:_[a-z]+)+)"', (HOME.parent / "clients" / "baseline.py").read_text())
    codes = {word for word in used if re.match(r"ema_|macd_.*_cross|rsi_over|price_moved|tight_|data_|no_trend", word)}
    assert len(codes) >= 10
    assert codes <= vocabulary


numbers = st.none() | st.floats(-1e9, 1e9) | st.booleans() | st.text(max_size=5)
frames = st.none() | st.dictionaries(st.sampled_from(list(FRAME)), numbers)


@given(
    timeframes=st.dictionaries(st.sampled_from(["15m", "1h", "4h", "odd"]), frames),
    liquidation=numbers,
    market=st.none() | st.dictionaries(st.sampled_from(["mid", "drift_bps"]), numbers),
    direction=st.sampled_from([("OPEN_SIGNAL", "long"), ("OPEN_SIGNAL", "short"), ("CLOSE_SIGNAL", "close_short")]),
)
def test_every_payload_gets_a_legal_answer(
    timeframes: object, liquidation: object, market: object, direction: tuple[str, str]
) -> None:
    event_type, side = direction
    given_payload = payload(
        timeframes=timeframes, liquidation_price=liquidation, market=market, event_type=event_type, signal_direction=side
    )
    prompt = render(given_payload, "0" * 64, event_type, "core_v1")
    reply = client_for("baseline", Endpoint("baseline-v1")).ask(prompt, Limits(1, 100))
    assert isinstance(parse(reply, read(given_payload)), Parsed)
