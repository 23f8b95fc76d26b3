"""However a model fails, on whichever wire: one decision with its status and raw text, one frame, and nobody else asked twice."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from audit.models import DeadLetter
from evaluation.models import Decision, EvaluationModel
from publishing.models import Frame
from publishing.tasks import evaluate
from signals.models import Signal, Status
from tests.evaluation.cases import answer, text
from tests.evaluation.conftest import Simulator
from tests.evaluation.speakers import SPEAKERS

pytestmark = pytest.mark.django_db(transaction=True)

Register = Callable[..., EvaluationModel]
Enriched = Callable[..., Signal]

# The model id under which every misbehaving judge is asked, each on its own wire; beside them one that is well.
ILL = "ill-sandbox"
WELL = "well"
HTML = "<html><body>Bad gateway</body></html>"
STOPLESS = {"stop_method": "atr", "stop_level": None, "atr_multiple": None, "trail_pct": None}


def said(written: str) -> tuple[str, dict[str, Any]]:
    return "answers", {"kind": "text", "text": written}


def answers(kind: str) -> tuple[str, dict[str, Any]]:
    return "answers", {"kind": kind}


def fault(kind: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "faults", {"kind": kind, **more}


# What goes wrong → the script for it, the decision's status, and what the raw text holds (None: nothing came).
ENDINGS: dict[str, tuple[tuple[str, dict[str, Any]], str, str | None]] = {
    "fences": (answers("fenced"), "ok", "```json"),
    "prose": (answers("prose"), "ok", "Here is my assessment"),
    "hostile words": (answers("injection"), "ok", "<script>"),
    "trailing comma": (said(text()[:-1] + ",}"), "invalid_json", "FOLLOW_ENTER"),
    "broken json": (answers("invalid_json"), "invalid_json", "confidence"),
    "not a number": (answers("nan"), "invalid_json", "NaN"),
    "a key twice": (said(text().replace('"reasons"', '"confidence": 0.9, "reasons"')), "invalid_json", "0.9"),
    "nothing": (answers("empty"), "invalid_json", None),
    "ten megabytes": (answers("oversized"), "invalid_json", "ill-sandbox"),
    "only thoughts": (said("I would rather not say."), "invalid_json", "rather"),
    "true as confidence": (said(text(confidence=True)), "schema_error", "true"),
    "seven as confidence": (said(text(confidence=7)), "schema_error", "7"),
    "text as confidence": (said(text(confidence="0.5")), "schema_error", "0.5"),
    "unknown action": (said(text(decision="BUY")), "schema_error", "BUY"),
    "absurd size": (said(text(size_pct=9999)), "schema_error", "9999"),
    "risk without its method": (said(text(risk_plan={"atr_multiple": 2})), "schema_error", "atr_multiple"),
    "somebody else's model": (answers("compromised"), "schema_error", "OTHERCOIN"),
    "a list": (said(json.dumps([answer()])), "schema_error", "FOLLOW_ENTER"),
    "risk without its figure": (said(text(risk_plan=STOPLESS)), "incoherent", "stop_method"),
    "a word for another event": (answers("wrong_event_word"), "incoherent", "FOLLOW_EXIT"),
    "cut off": (answers("length"), "truncated", "evidence_for"),
    "refusal": (answers("refusal"), "refused", ""),
    "filter": (answers("content_filter"), "refused", ""),
    "another content type": (fault("body", body=HTML, headers={"Content-Type": "text/html"}), "provider_error", "Bad gateway"),
    "another shape": (fault("body", body="[1]"), "provider_error", "[1]"),
    "an empty body": (fault("body", body=""), "provider_error", None),
    "wrong key": (("errors", {"preset": "auth"}), "provider_error", None),
    "quota": (("errors", {"preset": "insufficient_quota"}), "provider_error", None),
    "too many requests": (("errors", {"preset": "rate_limit", "retry_after": "1"}), "rate_limited", None),
    "server error": (("errors", {"preset": "server_error"}), "provider_error", None),
    "connection cut": (fault("reset"), "provider_error", None),
    "answer cut on the line": (fault("truncate"), "provider_error", None),
    "hang": (fault("hang"), "timeout", None),
    "slow drip": (fault("drip"), "timeout", None),
}
REPAIRABLE = {"invalid_json", "schema_error", "incoherent"}
# Asked again: the vendor said that it did no work. A question that got no answer may have been paid for.
PASSING = {"too many requests", "server error"}


@pytest.mark.parametrize("name", list(ENDINGS))
def test_every_ending_is_one_decision_and_one_frame(
    register: Register, enriched: Enriched, simulator: Simulator, name: str
) -> None:
    (what, rule), status, raw = ENDINGS[name]
    patience = 250 if status == "timeout" else 5_000
    for speaker, (vendor, path, api) in SPEAKERS.items():
        register(speaker, vendor=vendor, base_url=simulator.url + path, api=api, model_id=ILL, timeout_ms=patience)
    register(WELL)
    simulator.script(what, {**rule, "match": {"model": ILL}})
    signal = enriched(*SPEAKERS, WELL)
    asked_at_most = 3 if name in PASSING else 1 + (status in REPAIRABLE)
    for _ in range(3):
        Decision.objects.update(not_before=None)
        for model in (*SPEAKERS, WELL):
            evaluate(str(signal.pk), model)
    for row in Decision.objects.filter(signal=signal, model__in=SPEAKERS):
        calls = list(row.calls.all())
        assert (row.status, row.fallback, len(calls)) == (status, status != "ok", asked_at_most), (row.model, row.reason)
        assert all(len(call.raw_text.encode()) <= 16_384 for call in calls)
        assert not raw or all(raw in call.raw_text for call in calls), (row.model, [call.raw_text[:99] for call in calls])
        assert bool(row.reason) == (status != "ok")
    assert sorted(Decision.objects.values_list("model", flat=True)) == sorted([*SPEAKERS, WELL])
    assert Decision.objects.get(model=WELL).calls.count() == 1
    frames = Frame.objects.filter(event_id=signal.pk)
    assert sorted(str(frame.model) for frame in frames.filter(kind="decision")) == sorted([*SPEAKERS, WELL])
    assert frames.filter(kind="verdict").count() == 1
    assert Signal.objects.get(pk=signal.pk).status == Status.PUBLISHED
    assert not DeadLetter.objects.exists()
