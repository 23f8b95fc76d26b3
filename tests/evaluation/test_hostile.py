"""What a vendor or its model may say to break whoever reads it: each is an answer or a failure on record, never an exception."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from audit.models import DeadLetter
from evaluation.clients.anthropic import Anthropic
from evaluation.clients.base import Answered
from evaluation.clients.google_wire import read_generated
from evaluation.clients.openai_wire import read_chat, read_responses
from evaluation.facts import read
from evaluation.models import Decision, EvaluationModel
from evaluation.outcomes import accepted, judged, refused
from evaluation.parsing import Parsed
from evaluation.ports import Endpoint, Reply
from signals.models import Signal
from tests.evaluation.cases import answer, closing, facts, fixed, text
from tests.evaluation.conftest import Simulator
from tests.evaluation.test_judging import run

Register = Callable[..., EvaluationModel]
Enriched = Callable[..., Signal]

SEEN = [facts(), read(closing()), facts(liquidation_price=None), facts(market={"mid": None}, entry_price=None)]
DIGITS = "9" * 400


def cited(value: str) -> str:
    """An answer whose evidence cites this, as it would stand in JSON."""
    return text().replace("59900", value)


HOSTILE = {
    "deep arrays": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "deep and closed": '{"decision":' + "[" * 5_000 + "]" * 5_000 + "}",
    "deep inside an answer": text()[:-1] + ',"x":' + "[" * 90_000,
    "huge exponent": text().replace("0.57", "1e400"),
    "huge integer": text().replace("0.57", DIGITS),
    "endless fraction": text().replace("0.57", "0." + "0" * 5_000 + "1"),
    "huge size": text().replace('"size_pct": 12', '"size_pct": ' + "1" * 5_000),
    "huge evidence": cited("1e308"),
    "tiny evidence": cited("5e-324"),
    "more than a float": cited(DIGITS),
    "a number beyond decimals": cited('"1e999999999"'),
    "a number below decimals": cited('"1e-999999999"'),
    "a zero beyond decimals": cited('"0e-999999999"'),
    "infinity in words": cited('"Infinity"'),
    "not a number in words": cited('"sNaN"'),
    "many digits in words": cited(f'"{"9" * 199}"'),
    "a key twice": text().replace('"confidence"', '"confidence": 0.1, "confidence"'),
    "a key twice, once escaped": text().replace('"confidence"', '"\\u0063onfidence": 0.1, "confidence"'),
    "a NUL": text(reasons=["\x00"]),
    "half a surrogate": text(reasons=["a\ud800b"]),
    "directions and nothing": text(reasons=["\u202e\u200b\ufeff"]),
    "a plan at the edge of numbers": text(risk_plan=fixed(5e-324)),
    "a tool call": json.dumps({"tool_calls": [{"function": {"name": "answer", "arguments": text()}}]}),
    "a list of answers": json.dumps([answer()]),
    "thoughts that never close": "<think>" + "{" * 20_000 + "</think>" + text(),
    "fences that never close": "```json\n" * 20_000,
    "many objects": '{"decision":1}' * 2_000 + text(),
    "a megabyte of words": "a" * 1_000_000,
    "a megabyte of nothing": "{" + " " * 1_000_000,
    "a megabyte of quotes": '"' * 1_000_000,
}


def settled(written: str) -> Iterator[str]:
    """The status that a text leads to for each kind of signal, all of it as the database will have to take it."""
    for seen in SEEN:
        result = judged(Reply(written), seen, 0.0)
        made = accepted(result, seen, repaired=False) if isinstance(result, Parsed) else refused(result, seen, "IGNORE")
        stored = json.dumps(made.columns, allow_nan=False)
        assert "\\u0000" not in stored
        assert "\\ud800" not in stored
        yield made.status


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_no_text_is_more_than_an_answer_or_a_failure(kind: str) -> None:
    assert set(settled(HOSTILE[kind])) <= {"ok", "invalid_json", "schema_error", "incoherent"}


def test_no_mutation_of_a_good_answer_raises() -> None:
    chance = random.Random(5)
    base = text(risk_plan=fixed(53_000), size_pct=90)
    pieces = [*'",:{}[]e-.\\\x00\ud800', DIGITS, "NaN", "null", "true", "1e999", "1e-999999999"]
    for _ in range(2_000):
        letters = list(base)
        for _ in range(chance.randint(1, 4)):
            letters[chance.randrange(len(letters))] = chance.choice(pieces)
        assert len(list(settled("".join(letters)))) == len(SEEN)


ODD_COUNTS: list[Any] = [-1, 10**30, 1e300, 12.5, True, "12", [], {}, None]
WORDS: dict[str, Any] = {"role": "assistant", "content": "the answer"}


def told(usage: Any) -> dict[str, tuple[Callable[[Answered], Reply], dict[str, Any]]]:
    """Each wire's answer with this for its usage."""
    message = {"content": [{"type": "text", "text": "the answer"}], "usage": usage}
    item = {"type": "message", "content": [{"type": "output_text", "text": "the answer"}]}
    return {
        "chat": (read_chat, {"choices": [{"message": WORDS}], "usage": usage}),
        "responses": (read_responses, {"status": "completed", "output": [item], "usage": usage}),
        "gemini": (read_generated, {"candidates": [{"content": {"parts": [{"text": "the answer"}]}}], "usageMetadata": usage}),
        "messages": (Anthropic(Endpoint("m"))._read, message),
    }


@pytest.mark.parametrize("odd", ODD_COUNTS, ids=repr)
@pytest.mark.parametrize("wire", list(told(None)))
def test_a_count_that_cannot_be_one_is_unknown_and_costs_no_answer(wire: str, odd: Any) -> None:
    names = ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "promptTokenCount", "candidatesTokenCount")
    for usage in (dict.fromkeys(names, odd), None):
        reading, body = told(usage)[wire]
        reply = reading(Answered(json.dumps(body).encode()))
        assert (reply.text, reply.tokens_in, reply.tokens_out) == ("the answer", None, None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("count", [-5, 10**30, 99_999_999])
def test_a_count_beyond_all_measure_is_one_decision_and_one_call(
    register: Register, enriched: Enriched, simulator: Simulator, count: int
) -> None:
    model = register(daily_budget_usd=10_000_000)
    model.prices.create(input_usd=999_999, output_usd=999_999)
    body = {"choices": [{"message": {"content": text()}}], "usage": {"prompt_tokens": count, "completion_tokens": count}}
    simulator.script("faults", {"kind": "body", "body": json.dumps(body)})
    signal = enriched("chatgpt")
    run(str(signal.pk), "chatgpt")
    row = Decision.objects.get()
    call = row.calls.get()
    assert (row.status, row.claims, call.cost_usd) == ("ok", 1, None)
    assert not DeadLetter.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("words", ["no \x00 key", "half a \ud800 pair", "é" * 500], ids=["nul", "half", "long"])
def test_an_error_in_words_no_database_takes_is_still_that_error(
    register: Register, enriched: Enriched, simulator: Simulator, words: str
) -> None:
    register()
    simulator.script("faults", {"kind": "status", "status": 400, "body": json.dumps({"error": {"message": words}})})
    signal = enriched("chatgpt")
    run(str(signal.pk), "chatgpt")
    row = Decision.objects.get()
    assert (row.status, row.reason[:21], row.calls.get().outcome) == ("provider_error", "bad_request: HTTP 400", "bad_request")
    assert not DeadLetter.objects.exists()
