"""Judging under trouble and judging again, through the real stack: the executors hear every round, and nobody waits for anybody."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.pipeline.secrets import places, plant
from tests.stack import Lens, running

pytestmark = pytest.mark.stack

ONE_ROUND = {"decision": 2, "verdict": 1}
# A judge whose vendor repeats the key in whatever it says.
LEAKY, MODEL_KEY = "leaky", "sk-canary/7f3a+9c51e2d84b60"
REPEATED = json.dumps({"error": {"message": f"Incorrect API key provided: {MODEL_KEY}", "code": "odd"}})
INSTRUCTION = "You judge one trading signal for a perpetual future."


@pytest.fixture(scope="module")
def lens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lens]:
    """A stack of its own: these tests leave breakers open."""
    directory: Path = tmp_path_factory.mktemp("rounds")
    with running(directory, LENS_WS_PROCESSES="1", LENS_WEBHOOK_ALLOW_PRIVATE="127.0.0.1/32", CANARY_API_KEY=MODEL_KEY) as started:
        started.manage("model", "set", "chatgpt", "--timeout-ms", "2000")
        yield started


def reevaluate(lens: Lens, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = lens.http.post(f"/api/v1/events{path}/reevaluate", json=body)
    assert answer.status_code in {200, 202}, answer.text
    return dict(answer.json())


def rounds(frames: list[dict[str, Any]]) -> dict[int, Counter[str]]:
    found: dict[int, Counter[str]] = {}
    for frame in frames:
        found.setdefault(frame["evaluation"], Counter())[frame["type"]] += 1
    return found


def test_a_signal_judged_again_is_heard_whole_in_its_next_round(lens: Lens) -> None:
    with lens.listen() as listener:
        event_id = lens.submit()
        listener.until_verdicts([event_id])
        preview = reevaluate(lens, "", {"filter": {"event_id": event_id}, "dry_run": True})
        assert (preview["selected"], preview["started"]) == (1, 0)
        assert float(preview["preview"]["cost_usd"]) > 0
        assert reevaluate(lens, f"/{event_id}", {"note": "again"})["evaluation"] == 1
        listener.until(lambda frame: frame["type"] == "verdict" and frame["evaluation"] == 1)
    assert rounds(listener.frames) == {0: ONE_ROUND, 1: ONE_ROUND}
    paid = {(call["event_id"], call["model"]): call["answered"] for call in lens.calls()}
    assert paid[event_id, "gpt-sandbox"] == 2
    assert 'lens_model_cost_usd_total{model="chatgpt"}' in httpx2.get(lens.facts["http"] + "/metrics", timeout=30).text
    counted = json.loads(lens.manage("reevaluate", "--event", event_id, "--yes", "--json"))
    assert (counted["selected"], counted["started"]) == (1, 1)
    assert lens.settled([event_id])[event_id]["evaluation"] == 2


def test_a_hanging_model_delays_nobody(lens: Lens) -> None:
    lens.script("llm", "faults", [{"kind": "hang"}])
    with lens.listen() as listener:
        event_id = lens.submit()
        listener.until(lambda frame: frame["type"] == "decision" and frame["model"] == "baseline", within=10)
        listener.until_verdicts([event_id])
    lens.unscript("llm", "faults")
    assert [frame["model"] for frame in listener.frames if frame["event_id"] == event_id] == ["baseline", "chatgpt", None]
    told = {frame["model"]: frame for frame in listener.frames}
    assert (told["baseline"]["status"], told["chatgpt"]["status"], told["chatgpt"]["fallback"]) == ("ok", "timeout", True)
    assert told[None]["decision"] == told["baseline"]["decision"]


def test_when_nobody_answers_the_executors_hear_at_once_and_again_when_somebody_does(lens: Lens) -> None:
    lens.manage("model", "disable", "baseline")
    lens.script("llm", "errors", [{"preset": "auth"}])
    lens.settled([lens.submit()])
    with lens.listen() as listener:
        event_id = lens.submit()
        listener.until_verdicts([event_id], within=15)
        told = {frame["type"]: frame for frame in listener.frames}
        assert (told["verdict"]["decision"], told["verdict"]["fallback"]) == ("IGNORE", True)
        assert told["verdict"]["data"]["reason"] == "no_answers"
        assert told["decision"]["status"] == "breaker_open"
        assert lens.event(event_id)["degraded"] is True
        lens.unscript("llm", "errors")
        lens.manage("model", "enable", "baseline")
        counted = json.loads(lens.manage("reevaluate", "--degraded", "--yes", "--json"))
        assert counted["started"] == 2
        again = listener.until(lambda frame: frame["type"] == "verdict" and frame["event_id"] == event_id)
    assert (again["evaluation"], again["fallback"]) == (1, False)
    assert lens.event(event_id)["degraded"] is False
    text = httpx2.get(lens.facts["http"] + "/metrics", timeout=30).text
    for series in (
        'lens_signals_degraded_total{reason="no_answers"}',
        'lens_model_breaker_open{model="chatgpt"}',
        'lens_model_errors_total{model="chatgpt",status="breaker_open"}',
    ):
        assert series in text, series


def test_no_secret_comes_to_light_whatever_a_vendor_or_a_caller_says(lens: Lens) -> None:
    """The vendor repeats the key it was given in every kind of answer; wrong keys are tried at every door."""
    base = lens.facts["simulators"]["llm"] + "/v1"
    spoken_to = ["--vendor", "openai_compatible", "--model-id", LEAKY, "--base-url", base, "--key-env", "CANARY_API_KEY"]
    lens.manage("model", "add", LEAKY, *spoken_to)
    faults: list[dict[str, Any]] = [
        {"kind": "body", "body": f"<html>{MODEL_KEY}</html>", "times": 1},
        *({"kind": "status", "status": status, "body": REPEATED, "times": 1} for status in (400, 500)),
        {"kind": "status", "status": 401, "body": REPEATED, "after": 1},
    ]
    lens.script("llm", "faults", [{**fault, "match": {"model": LEAKY}} for fault in faults])
    words = json.dumps({"decision": "IGNORE", "confidence": 0.5, "reasons": [f"it is {MODEL_KEY}"]})
    lens.script("llm", "answers", [{"kind": "text", "text": words, "match": {"model": LEAKY}}])
    event_ids = [lens.submit() for _ in range(5)]
    hidden = {MODEL_KEY, *plant(lens, wrong="51e2d84b607f3a9c")}
    events = lens.settled(event_ids)
    lens.manage("model", "disable", LEAKY)
    for what in ("faults", "answers"):
        lens.unscript("llm", what)
    told = Counter(item["status"] for event in events.values() for item in event["decisions"] if item["model"] == LEAKY)
    assert told["ok"] == 1
    assert told["provider_error"] >= 3
    found = dict(places(lens, event_ids))
    assert "[key redacted]" in found["table evaluation_modelcall"]
    assert "stage gave up" in found["log worker-evaluate.log"]
    assert {(place, secret[:8]) for place, text in found.items() for secret in hidden if secret in text} == set()
    assert {place for place, text in found.items() if INSTRUCTION in text and not where_prompts_belong(place)} == set()


def where_prompts_belong(place: str) -> bool:
    """What was asked is kept once, in its table, shown with the decision it led to, and sent to the vendor."""
    return place in {"table evaluation_text", "prompts"} or place.startswith("/admin/evaluation/decision/")


def test_every_decision_of_these_can_be_recomputed(lens: Lens) -> None:
    lens.settled([lens.submit()])
    told = json.loads(lens.manage("verify_decision", "--all", "--json"))
    assert told["checked"] > 0
    assert told["failed"] == []
