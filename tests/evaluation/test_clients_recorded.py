"""What vendors really sent: recorded bodies through the SDKs, each read as it must be. Skipped where the recordings are not."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.canonical import digest
from core.errors import LensError
from evaluation.ports import Limits, Prompt, Reply
from evaluation.prompting import render
from tests.evaluation.cases import payload
from tests.evaluation.conftest import Simulator
from tests.evaluation.speakers import speaker

RECORDED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "llm_wire"
pytestmark = pytest.mark.skipif(not RECORDED.exists(), reason="no recordings here")
GEMINI = "gemini_firebase/googleai__unary-"
VERTEX = "gemini_firebase/vertexai__unary-"


def prompt() -> Prompt:
    return render(payload(), digest(payload()), "OPEN_SIGNAL", "core_v1")


def heard(simulator: Simulator, name: str, status: int, body: str, headers: dict[str, str] | None = None) -> Reply | LensError:
    """What the client makes of this body with this status."""
    simulator.script("faults", {"kind": "status", "status": status, "body": body, "headers": headers or {}})
    try:
        return speaker(name, simulator.url).ask(prompt(), Limits(5, 1_000))
    except LensError as error:
        return error


def recorded(name: str) -> str:
    return (RECORDED / name).read_text()


@pytest.mark.parametrize(
    ("file", "finish_reason", "refused"),
    [
        (f"{GEMINI}success-basic-reply-short.json", "stop", False),
        (f"{GEMINI}success-basic-reply-long.json", "stop", False),
        (f"{GEMINI}success-citations.json", "stop", False),
        (f"{GEMINI}failure-finish-reason-safety.json", "content_filter", True),
        (f"{GEMINI}failure-only-prompt-feedback.json", "content_filter", True),
        (f"{VERTEX}failure-prompt-blocked-safety.json", "content_filter", True),
        (f"{VERTEX}failure-prompt-blocked-safety-with-message.json", "content_filter", True),
        (f"{VERTEX}failure-finish-reason-safety-no-content.json", "content_filter", True),
        (f"{VERTEX}failure-empty-content.json", "stop", False),
        (f"{VERTEX}success-constraint-decoding-json.json", "stop", False),
        (f"{VERTEX}success-implicit-caching.json", "stop", False),
        (f"{VERTEX}success-empty-text-part.json", "stop", False),
        (f"{VERTEX}success-function-call-null.json", "stop", False),
    ],
)
def test_geminis_recorded_answers(simulator: Simulator, file: str, finish_reason: str, refused: bool) -> None:
    reply = heard(simulator, "google", 200, recorded(file))
    assert isinstance(reply, Reply), reply
    assert (reply.finish_reason, reply.refusal is not None) == (finish_reason, refused)
    if "basic" in file:
        assert len(reply.text) > 20


@pytest.mark.parametrize(
    ("file", "status", "code"),
    [
        (f"{GEMINI}failure-api-key.json", 400, "auth_failed"),
        (f"{GEMINI}failure-unknown-model.json", 404, "model_not_found"),
        (f"{GEMINI}failure-generativelanguage-api-not-enabled.json", 403, "auth_failed"),
        (f"{VERTEX}failure-iam-permission-denied.json", 403, "auth_failed"),
        (f"{VERTEX}failure-unsupported-user-location.json", 400, "bad_request"),
        (f"{VERTEX}failure-invalid-location-url-not-found.html", 404, "model_not_found"),
    ],
)
def test_geminis_recorded_errors(simulator: Simulator, file: str, status: int, code: str) -> None:
    error = heard(simulator, "google", status, recorded(file))
    assert isinstance(error, LensError), error
    assert error.code == code


@pytest.mark.parametrize(
    "name",
    ["openai_chat_stop", "openai_structured_output_ok", "openai_response_format_json", "openai_chat_tool_calls", "azure_chat_ok"],
)
@pytest.mark.parametrize("wire", ["openai", "compatible"])
def test_openais_recorded_answers(simulator: Simulator, name: str, wire: str) -> None:
    reply = heard(simulator, wire, 200, body_of(json.loads(recorded(f"recorded/{name}.json"))))
    assert isinstance(reply, Reply), reply
    assert reply.finish_reason == ("tool_calls" if name.endswith("tool_calls") else "stop")
    assert bool(reply.text) != name.endswith("tool_calls")
    assert reply.model_version
    assert reply.tokens_in
    assert reply.tokens_out


REPORTED = [json.loads(line) for line in recorded("reported_errors.jsonl").splitlines()] if RECORDED.exists() else []
WIRES = {"openai": "openai", "anthropic": "anthropic", "gemini": "google", "vertex": "google"}


@pytest.mark.parametrize("reported", [line for line in REPORTED if "body" in line])
def test_errors_that_users_reported(simulator: Simulator, reported: dict[str, Any]) -> None:
    error = heard(simulator, WIRES[reported["provider"]], reported["status"], json.dumps(reported["body"]))
    assert isinstance(error, LensError), error
    by_status = {429: "rate_limited", 500: "provider_down", 529: "provider_down"}
    spent = "insufficient_quota" in json.dumps(reported["body"])
    assert error.code == ("insufficient_quota" if spent else by_status[reported["status"]])
    if "retryDelay" in json.dumps(reported["body"]):
        assert getattr(error, "retry_after", None) == pytest.approx(57.238747106)


def test_a_failure_inside_a_200_is_the_failure_it_is(simulator: Simulator) -> None:
    event = next(line["event"] for line in REPORTED if "event" in line)
    error = heard(simulator, "openai-responses", 200, json.dumps(event["response"]))
    assert isinstance(error, LensError)
    assert error.code == "provider_down"


def body_of(recording: dict[str, Any]) -> str:
    """The recorded body, wherever this recording keeps it."""
    body = recording["response"]["body"] if "response" in recording else recording["body"]
    body = body.get("string", body) if isinstance(body, dict) else body
    return body if isinstance(body, str) else json.dumps(body)
