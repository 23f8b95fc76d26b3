"""The payloads enrichment really writes, read by the judge made of rules: whatever the profile, and whatever is missing."""

import json

import pytest

from core.errors import Transient
from evaluation.clients.baseline import opinion
from evaluation.facts import read
from evaluation.parsing import Parsed, parse
from evaluation.ports import Reply
from tests.enrichment.frozen import reading, snapshot
from tests.enrichment.test_assembly import PROFILES, signal, text_of

RISING = {
    "ema_9": 0.0048,
    "ema_21": 0.0047,
    "ema_50": 0.0046,
    "ema_200": 0.0045,
    "macd_hist": 0.0001,
    "rsi_14": 58.0,
    "atr_14": 0.0002,
}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_is_understood(profile: str) -> None:
    asked = snapshot(profile).profile
    values = {name: value for name, value in RISING.items() if name in asked.indicators.names}
    frames = {interval: reading(interval, profile, values=values) for interval in asked.timeframes}
    facts = read(text_of(signal(), snapshot(profile, readings=frames)))
    assert facts.atr == facts.number("timeframes.1h.atr_14")
    assert len(facts.timeframes) == 3
    found = opinion(facts)
    assert found["decision"] == "FOLLOW_ENTER"
    assert "ema_bullish_stack" in found["reasons"]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_market_that_could_not_be_had_keeps_it_out(profile: str) -> None:
    gone = Transient("timeout", "slow")
    seen = snapshot(profile, readings=dict.fromkeys(("15m", "1h", "4h"), gone), context=gone, predicted=gone, interest=None)
    facts = read(text_of(signal(), seen))
    found = opinion(facts)
    assert found["decision"] == "IGNORE"
    assert isinstance(parse(Reply(json.dumps(found)), facts), Parsed)
