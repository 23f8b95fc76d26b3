"""A decision can be recomputed from what is stored, and one flipped byte anywhere is found and named."""

import json
import os
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.models import Model

from core.canonical import digest
from core.ids import uuid7
from core.secret import MARK
from enrichment.models import Enrichment
from evaluation.models import Decision, EvaluationModel, ModelCall, Text
from evaluation.selectors import forget_registry
from evaluation.verification import verify
from signals.models import Signal
from tests.evaluation.cases import fixed, text
from tests.evaluation.conftest import Simulator
from tests.evaluation.speakers import KEY_ENV
from tests.evaluation.test_judging import decision, make_claimable, run

pytestmark = pytest.mark.django_db(transaction=True)

Register = Callable[..., EvaluationModel]
Enriched = Callable[..., Signal]


def flipped(content: str, at: int = -1) -> str:
    """The text with one bit of one byte the other way round; a digit stays a digit."""
    place = at % len(content)
    return content[:place] + chr(ord(content[place]) ^ 1) + content[place + 1 :]


def change(row: Model, **columns: Any) -> None:
    type(row)._default_manager.filter(pk=row.pk).update(**columns)


@pytest.fixture
def judged(register: Register, enriched: Enriched) -> Decision:
    register()
    signal = enriched("chatgpt")
    run(str(signal.pk), "chatgpt")
    return decision(signal)


def part_of(row: Decision) -> str | None:
    difference = verify(Decision.objects.select_related("signal").get(pk=row.pk))
    return None if difference is None else difference.part


@pytest.mark.parametrize(
    "kind",
    [
        "ok",
        "invalid_json",
        "empty",
        "nan",
        "oversized",
        "schema_error",
        "compromised",
        "wrong_event_word",
        "refusal",
        "content_filter",
        "length",
        "injection",
        "fenced",
    ],
)
def test_every_kind_of_answer_is_what_it_was(register: Register, enriched: Enriched, simulator: Simulator, kind: str) -> None:
    register()
    if kind == "fenced":
        simulator.script("answers", {"kind": "text", "text": f"Sure!\n```json\n{text(size_pct=90, risk_plan=fixed(53_000))}\n```"})
    elif kind != "ok":
        simulator.script("answers", {"kind": kind})
    signal = enriched("chatgpt")
    run(str(signal.pk), "chatgpt")
    assert part_of(decision(signal)) is None


@pytest.mark.parametrize("preset", ["auth", "insufficient_quota", "bad_request", "overloaded"])
def test_every_failure_is_what_it_was(register: Register, enriched: Enriched, simulator: Simulator, preset: str) -> None:
    register()
    simulator.script("errors", {"preset": preset})
    signal = enriched("chatgpt")
    for _ in range(3):
        run(str(signal.pk), "chatgpt")
        make_claimable(signal)
    row = decision(signal)
    assert row.status
    assert part_of(row) is None


def test_a_repaired_answer_is_what_it_was(register: Register, enriched: Enriched, simulator: Simulator) -> None:
    register()
    simulator.script("answers", {"kind": "schema_error", "times": 1})
    signal = enriched("chatgpt")
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    assert (row.status, part_of(row)) == ("repaired", None)


def test_an_answer_that_repeated_our_key_is_what_it_was_without_it(
    register: Register, enriched: Enriched, simulator: Simulator
) -> None:
    key = os.environ[KEY_ENV]
    simulator.script("answers", {"kind": "text", "text": text(reasons=[f"your key is {key}"])})
    register()
    signal = enriched("chatgpt")
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    call = row.calls.get()
    assert (row.status, row.answer["reasons"], part_of(row)) == ("ok", [f"your key is {MARK}"], None)
    assert call.raw_text == text(reasons=[f"your key is {MARK}"])
    assert call.raw_hash == digest(call.raw_text)


def test_a_model_that_was_changed_between_two_tries_is_judged_by_what_it_was_asked_last(
    register: Register, enriched: Enriched, simulator: Simulator
) -> None:
    model = register()
    signal = enriched("chatgpt")
    simulator.script("faults", {"kind": "status", "status": 500, "times": 1})
    run(str(signal.pk), "chatgpt")
    changed = {"prompt_version": "core_v1+schema_v1", "structured": "prompt_only", "model_id": "other-sandbox", "timeout_ms": 9_000}
    change(model, **changed)
    forget_registry()
    make_claimable(signal)
    run(str(signal.pk), "chatgpt")
    row = decision(signal)
    assert (row.status, row.prompt_version, row.model_meta["model_name"]) == ("ok", "core_v1+schema_v1", "other-sandbox")
    assert [(call.outcome, call.structured) for call in row.calls.all()] == [
        ("provider_down", "strict_schema"),
        ("ok", "prompt_only"),
    ]
    assert part_of(row) is None


def test_one_flipped_byte_of_the_payload(judged: Decision) -> None:
    market = Enrichment.objects.get()
    change(market, payload=flipped(market.payload, 40))
    assert part_of(judged) == "payload"


@pytest.mark.parametrize(("column", "part"), [("prompt_hash", "instructions"), ("schema_hash", "schema")])
def test_one_flipped_byte_of_a_stored_text(judged: Decision, column: str, part: str) -> None:
    stored = Text.objects.get(pk=getattr(judged, column))
    change(stored, text=flipped(stored.text, 100))
    assert part_of(judged) == part


@pytest.mark.parametrize(
    ("column", "part"), [("payload_hash", "payload"), ("prompt_hash", "instructions"), ("schema_hash", "schema")]
)
def test_one_flipped_byte_of_a_hash(judged: Decision, column: str, part: str) -> None:
    change(judged, **{column: flipped(getattr(judged, column))})
    assert part_of(judged) == part


@pytest.mark.parametrize("at", [0, 10, 50, -1])
def test_one_flipped_byte_of_the_raw_text(judged: Decision, at: int) -> None:
    call = ModelCall.objects.get()
    change(call, raw_text=flipped(call.raw_text, at))
    assert part_of(judged) == "answer"


def test_an_outcome_that_is_not_what_the_text_says(judged: Decision) -> None:
    change(ModelCall.objects.get(), outcome="schema_error")
    assert part_of(judged) == "parse"


@pytest.mark.parametrize(
    "columns",
    [
        {"decision": "HOLD"},
        {"confidence": 0.123},
        {"status": "repaired"},
        {"fallback": True},
        {"reason": "because"},
        {"adjustments": [{"field": "size_pct", "from": 1, "to": 2, "rule": "x"}]},
        {"original": {"size_pct": 99}},
        {"answer": {}},
        {"ungrounded_ratio": 0.5},
    ],
)
def test_a_changed_column_of_the_decision(judged: Decision, columns: dict[str, Any]) -> None:
    change(judged, **columns)
    assert part_of(judged) == "guard"


def verified(*arguments: str) -> tuple[int, dict[str, Any]]:
    out = StringIO()
    try:
        call_command("verify_decision", *arguments, "--json", stdout=out, stderr=StringIO())
    except CommandError as error:
        return error.returncode, json.loads(out.getvalue() or "{}")
    return 0, json.loads(out.getvalue())


def test_the_command_names_the_part_and_fails(judged: Decision) -> None:
    assert verified(str(judged.pk)) == (0, {"checked": 1, "failed": []})
    assert verified("--all") == (0, {"checked": 1, "failed": []})
    change(ModelCall.objects.get(), raw_text="{}")
    code, told = verified("--all", "--since", "2020-01-01T00:00:00Z")
    assert (code, [(one["id"], one["part"]) for one in told["failed"]]) == (1, [(str(judged.pk), "answer")])
    assert verified("--all", "--since", "2099-01-01T00:00:00Z") == (0, {"checked": 0, "failed": []})


@pytest.mark.parametrize("arguments", [[], ["--all", "--since", "yesterday"], [str(uuid7())]])
def test_the_command_refuses_what_makes_no_sense(arguments: list[str], db: None) -> None:
    assert verified(*arguments)[0] == 2


def test_a_million_decisions_share_their_texts(register: Register, enriched: Enriched) -> None:
    register()
    for _ in range(3):
        run(str(enriched("chatgpt").pk), "chatgpt")
    assert (Decision.objects.count(), Text.objects.count()) == (3, 2)
