"""From a model's text to an answer or a classified failure: a table of what models really write."""

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.facts import read
from evaluation.parsing import RAW_LIMIT, Failure, Parsed, bounded, parse, parse_text
from evaluation.ports import Reply
from tests.evaluation.cases import answer, closing, facts, fixed, payload, text

RECORDED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "llm_json"
OPEN = read(payload())
CLOSE = read(closing())


@pytest.mark.parametrize(
    ("written", "mode"),
    [
        (text(), "strict"),
        (f"\n  {text()}\n", "strict"),
        (f"\ufeff{text()}", "strict"),
        (f"```json\n{text()}\n```", "fenced"),
        (f"```\n{text()}```", "fenced"),
        (f"My view:\n```json\n{json.dumps(answer(), indent=2)}\n```\nGood luck.", "fenced"),
        (f"Here it is: {text()} I hope this helps.", "extracted"),
        (f"<think>maybe {{'a': 1}} or {{}}</think>{text()}", "extracted"),
        (f'First thought {{"decision": "IGNORE"}} but finally {text()}', "extracted"),
    ],
)
def test_an_answer_is_found_in_fences_and_prose(written: str, mode: str) -> None:
    found = parse_text(written, OPEN)
    assert isinstance(found, Parsed)
    assert (found.answer.decision, found.parse_mode) == ("FOLLOW_ENTER", mode)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "   ",
        "no",
        "{",
        text()[:-1],
        text().replace('": ', '" '),
        text(confidence=float("nan")),
        text().replace("0.57", "Infinity"),
        text().replace('"confidence"', '"decision"'),
        text(size_pct=6).replace('"size_pct": 6', '"size_pct": 6,000'),
        "{" * 20_000,
        '{"a":' * 5_000,
        "[" * 100_000,
        "\ud800" + text()[1:],
        "```json\n```",
    ],
)
def test_what_is_not_json_is_invalid_json(written: str) -> None:
    found = parse_text(written, OPEN)
    assert isinstance(found, Failure)
    assert found.status == "invalid_json"


def without(name: str) -> str:
    return json.dumps({key: value for key, value in answer().items() if key != name})


@pytest.mark.parametrize(
    "written",
    [
        "[]",
        "null",
        "12",
        json.dumps([answer()]),
        without("decision"),
        without("confidence"),
        without("reasons"),
        text(confidence=1.2),
        text(confidence=-0.1),
        text(confidence=True),
        text(confidence="0.5"),
        text(confidence=None),
        text().replace("0.57", "1e999"),
        text(decision="BUY"),
        text(decision="follow_enter"),
        text(decision=None),
        text(leverage=100),
        text(size_pct=100.1),
        text(size_pct=-1),
        text(size_pct=True),
        text(reasons=[]),
        text(reasons=["a"] * 9),
        text(reasons=["x" * 201]),
        text(reasons=[1]),
        text(reasons="bullish_trend"),
        text(reasons=["\u200b\u202e"]),
        text(evidence_for=[{"code": "a", "field": "b", "value": 1}] * 5),
        text(evidence_for=[{"code": "a", "field": "b", "value": True}]),
        text(evidence_for=[{"code": "a", "value": 1}]),
        text(entry_plan={"type": "stop"}),
        text(entry_plan={"type": "limit", "offset_bps": 1e6}),
        text(risk_plan={"atr_multiple": 2}),
        text(risk_plan={"stop_method": "atr", "atr_multiple": 0.4}),
        text(risk_plan={"stop_method": "atr", "atr_multiple": 10.5}),
        text(risk_plan={"stop_method": "trailing", "trail_pct": 101}),
        text(risk_plan={"stop_method": "fixed", "stop_level": -1}),
        text(risk_plan={"stop_method": "fixed", "stop_level": 1, "hidden": 1}),
        text(evidence_for=[{"code": "é" * 200, "field": "é" * 200, "value": "é" * 200}] * 4),
        "\\ud800".join(text(reasons=["x"]).split("x")),
    ],
)
def test_a_wrong_type_range_key_or_word_is_a_schema_error(written: str) -> None:
    found = parse_text(written, OPEN)
    assert isinstance(found, Failure)
    assert found.status == "schema_error"
    assert 0 < len(found.detail.encode()) <= 500


def test_only_decision_confidence_and_reasons_are_required() -> None:
    found = parse_text('{"decision":"IGNORE","confidence":0,"reasons":["no_trend"]}', OPEN)
    assert isinstance(found, Parsed)
    assert found.answer.model_dump(mode="json") == {
        "evidence_for": [],
        "evidence_against": [],
        "decision": "IGNORE",
        "confidence": 0.0,
        "entry_plan": None,
        "risk_plan": None,
        "size_pct": None,
        "reasons": ["no_trend"],
    }


SHORT = facts(signal_direction="short", liquidation_price=66_000)


@pytest.mark.parametrize(
    ("written", "seen", "status"),
    [
        (text(decision="FOLLOW_EXIT"), OPEN, "incoherent"),
        (text(decision="HOLD"), OPEN, "incoherent"),
        (text(decision="FOLLOW_ENTER"), CLOSE, "incoherent"),
        (text(decision="IGNORE"), CLOSE, "incoherent"),
        (text(risk_plan=None), OPEN, "incoherent"),
        (text(risk_plan={"stop_method": "atr"}), OPEN, "incoherent"),
        (text(risk_plan={"stop_method": "fixed", "atr_multiple": 2}), OPEN, "incoherent"),
        (text(risk_plan=fixed(60_001)), OPEN, "incoherent"),
        (text(risk_plan=fixed(60_000)), OPEN, "incoherent"),
        (text(risk_plan=fixed(59_999)), SHORT, "incoherent"),
        (text(decision="TIGHTEN_STOP", risk_plan=fixed(61_000)), CLOSE, "incoherent"),
        (text(), facts(liquidation_price=60_000), "incoherent"),
        (text(), facts(signal_direction="short", liquidation_price=59_000), "incoherent"),
        (text(decision="IGNORE", risk_plan=None), facts(liquidation_price=61_000), None),
        (text(risk_plan=fixed(59_000)), OPEN, None),
        (text(risk_plan=fixed(61_000)), SHORT, None),
        (text(decision="IGNORE", risk_plan=None), OPEN, None),
        (text(decision="HOLD", risk_plan=None), CLOSE, None),
        (text(decision="TIGHTEN_STOP", risk_plan=None), CLOSE, None),
        (text(decision="TIGHTEN_STOP", risk_plan=fixed(59_500)), CLOSE, None),
    ],
)
def test_a_word_for_the_wrong_event_or_a_stop_on_the_wrong_side_is_incoherent(written: str, seen: Any, status: str | None) -> None:
    found = parse_text(written, seen)
    assert (found.status if isinstance(found, Failure) else None) == status


def test_an_incoherent_answer_is_kept() -> None:
    found = parse_text(text(decision="HOLD"), OPEN)
    assert isinstance(found, Failure)
    assert found.answer is not None
    assert found.answer.decision == "HOLD"


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(text(), finish_reason="length"), "truncated"),
        (Reply(text()[:40], finish_reason="length"), "truncated"),
        (Reply("", finish_reason="content_filter"), "refused"),
        (Reply("", refusal="I cannot help with that."), "refused"),
        (Reply(text(), refusal=""), "refused"),
    ],
)
def test_the_finish_reason_is_read_before_the_text(reply: Reply, status: str) -> None:
    found = parse(reply, OPEN)
    assert isinstance(found, Failure)
    assert (found.status, found.repairable) == (status, False)


def test_words_are_stripped_of_what_terminals_and_pages_obey() -> None:
    found = parse_text(text(reasons=["ok\r\n2026 ERROR forged\x1b[31m\u202e"]), OPEN)
    assert isinstance(found, Parsed)
    assert found.answer.reasons == ("ok  2026 ERROR forged [31m",)


@pytest.mark.parametrize("raw", ["a" * 100_000, "é" * 100_000, "\x00\ud800 text", "😀" * 9_000])
def test_raw_text_is_stored_bounded_and_storable(raw: str) -> None:
    kept = bounded(raw)
    assert len(kept.encode()) <= RAW_LIMIT
    assert "\x00" not in kept


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded model outputs are not here")
@pytest.mark.parametrize("name", ["json_repair_cases_open.jsonl", "langchain_cases.jsonl"])
def test_recorded_oddities_are_classified_and_never_raise(name: str) -> None:
    written = [json.loads(line)["input"] for line in (RECORDED / name).read_text(encoding="utf-8").splitlines()]
    found = [parse_text(case, OPEN) for case in written]
    assert {result.status for result in found if isinstance(result, Failure)} <= {"invalid_json", "schema_error"}
    assert not any(isinstance(result, Parsed) for result in found)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded model outputs are not here")
@pytest.mark.parametrize("name", ["json_repair_cases_open.jsonl", "langchain_cases.jsonl"])
def test_the_same_oddities_around_a_good_answer_do_not_hide_it(name: str) -> None:
    written = [json.loads(line)["input"] for line in (RECORDED / name).read_text(encoding="utf-8").splitlines()]
    wrapped = [f"{case.replace('{', '(').replace('`', '')}\n```json\n{text()}\n```" for case in written]
    assert all(isinstance(parse_text(case, OPEN), Parsed) for case in wrapped)
