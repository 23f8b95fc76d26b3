"""The contract of every client, and how the OpenAI wire's troubles are sorted, against a server over a socket."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from core.canonical import digest
from core.errors import LensError, Permanent, Transient
from evaluation.clients import CLIENTS, client_for
from evaluation.facts import read
from evaluation.models import Vendor
from evaluation.parsing import Parsed, parse
from evaluation.ports import Endpoint, Limits, ModelClient, Prompt
from evaluation.prompting import render
from evaluation.schemas import WORDS
from tests.evaluation.cases import closing, payload
from tests.evaluation.conftest import KEY_ENV, Simulator

LIMITS = Limits(timeout_s=5, max_tokens=1_000)


def prompt(data: str | None = None, event_type: str = "OPEN_SIGNAL") -> Prompt:
    data = data or payload()
    return render(data, digest(data), event_type, "core_v1")


def compatible(url: str, key_env: str = KEY_ENV) -> ModelClient:
    return client_for("openai_compatible", Endpoint("gpt-sandbox", f"{url}/v1", key_env))


def test_every_vendor_has_a_client() -> None:
    assert set(CLIENTS) == set(Vendor.values)


@pytest.mark.parametrize("vendor", list(CLIENTS))
@pytest.mark.parametrize(("event_type", "data"), [("OPEN_SIGNAL", payload()), ("CLOSE_SIGNAL", closing())])
def test_every_client_answers_in_the_one_shape(simulator: Simulator, vendor: str, event_type: str, data: str) -> None:
    client = client_for(vendor, Endpoint("gpt-sandbox", f"{simulator.url}/v1", KEY_ENV))
    reply = client.ask(prompt(data, event_type), LIMITS)
    found = parse(reply, read(data))
    assert isinstance(found, Parsed)
    assert found.parse_mode == "strict"
    assert found.answer.decision in WORDS[event_type]
    assert reply.model_version


def test_a_reply_carries_what_the_audit_needs(simulator: Simulator) -> None:
    reply = compatible(simulator.url).ask(prompt(), LIMITS)
    assert reply.model_version == "gpt-sandbox"
    assert reply.request_id.startswith("req_")
    assert reply.finish_reason == "stop"
    assert reply.tokens_in is not None
    assert reply.tokens_in > 500
    assert reply.tokens_out is not None
    assert reply.tokens_out > 20


@pytest.mark.parametrize(
    ("vendor", "temperature", "limit"), [("openai", 0.2, "max_completion_tokens"), ("openai_compatible", None, "max_tokens")]
)
def test_the_request_is_strict_and_keeps_data_out_of_the_instructions(
    simulator: Simulator, vendor: str, temperature: float | None, limit: str
) -> None:
    data = payload()
    client = client_for(vendor, Endpoint("gpt-sandbox", f"{simulator.url}/v1", KEY_ENV))
    client.ask(prompt(data), Limits(5, 700, temperature))
    sent = simulator.prompts()[-1]
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert data in sent["messages"][1]["content"]
    assert "BTC" not in sent["messages"][0]["content"]
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert sent[limit] == 700
    assert sent.get("temperature") == temperature


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        ({"preset": "rate_limit", "retry_after": "7"}, Transient, "rate_limited"),
        ({"preset": "insufficient_quota"}, Permanent, "insufficient_quota"),
        ({"preset": "overloaded"}, Transient, "provider_down"),
        ({"preset": "server_error"}, Transient, "provider_down"),
        ({"preset": "auth"}, Permanent, "auth_failed"),
        ({"preset": "not_found"}, Permanent, "model_not_found"),
        ({"preset": "bad_request"}, Permanent, "bad_request"),
    ],
)
def test_the_vendors_errors_are_sorted(simulator: Simulator, error: dict[str, Any], kind: type[LensError], code: str) -> None:
    simulator.script("errors", error)
    with pytest.raises(kind) as caught:
        compatible(simulator.url).ask(prompt(), LIMITS)
    assert caught.value.code == code
    assert os.environ[KEY_ENV] not in f"{caught.value} {caught.value.facts}"
    if isinstance(caught.value, Transient):
        assert caught.value.retry_after == (7.0 if "retry_after" in error else None)
    assert simulator.totals()["received"] == 1


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ({"kind": "status", "status": 402}, Permanent, "insufficient_quota"),
        ({"kind": "status", "status": 408}, Transient, "timeout"),
        ({"kind": "status", "status": 422, "body": "not json"}, Permanent, "bad_request"),
        ({"kind": "status", "status": 302, "headers": {"Location": "http://127.0.0.1:1/"}}, Permanent, "bad_request"),
        ({"kind": "status", "status": 429, "headers": {"Retry-After": "soon"}}, Transient, "rate_limited"),
        ({"kind": "status", "status": 529}, Transient, "provider_down"),
        ({"kind": "reset"}, Transient, "provider_down"),
        ({"kind": "truncate"}, Transient, "provider_down"),
        ({"kind": "body", "body": "<html>"}, Permanent, "bad_reply"),
        ({"kind": "body", "body": ""}, Permanent, "bad_reply"),
        ({"kind": "body", "body": '{"choices": []}'}, Permanent, "bad_reply"),
        ({"kind": "body", "body": '{"error": {"code": "server_is_overloaded"}}'}, Permanent, "bad_reply"),
    ],
)
def test_the_lines_faults_are_sorted(simulator: Simulator, fault: dict[str, Any], kind: type[LensError], code: str) -> None:
    simulator.script("faults", fault)
    with pytest.raises(kind) as caught:
        compatible(simulator.url).ask(prompt(), LIMITS)
    assert caught.value.code == code


def test_a_date_in_retry_after_is_understood(simulator: Simulator) -> None:
    simulator.script("faults", {"kind": "status", "status": 503, "headers": {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}})
    with pytest.raises(Transient) as caught:
        compatible(simulator.url).ask(prompt(), LIMITS)
    assert caught.value.retry_after == 0.0


@pytest.mark.parametrize("fault", [{"kind": "hang"}, {"kind": "drip"}, {"kind": "delay", "delay_s": 3}])
def test_a_server_that_hangs_or_drips_does_not_outlast_the_limit(simulator: Simulator, fault: dict[str, Any]) -> None:
    simulator.script("faults", fault)
    started = time.monotonic()
    with pytest.raises(Transient) as caught:
        compatible(simulator.url).ask(prompt(), Limits(0.6, 100))
    assert caught.value.code == "timeout"
    assert time.monotonic() - started < 1.5


@pytest.fixture
def dripping_headers() -> Iterator[str]:
    """A server that never finishes its first header."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b"a")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        stop.set()
        thread.join(5)


def test_dripping_headers_do_not_outlast_the_limit(dripping_headers: str) -> None:
    started = time.monotonic()
    with pytest.raises(Transient) as caught:
        compatible(dripping_headers, key_env="").ask(prompt(), Limits(0.5, 100))
    assert caught.value.code == "timeout"
    assert time.monotonic() - started < 1.5


def test_nobody_listening_is_the_provider_being_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Transient) as caught:
        compatible(f"http://127.0.0.1:{port}", key_env="").ask(prompt(), LIMITS)
    assert caught.value.code == "provider_down"


def test_a_missing_key_is_no_call(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(os.environ, KEY_ENV)
    with pytest.raises(Permanent) as caught:
        compatible(simulator.url).ask(prompt(), LIMITS)
    assert caught.value.code == "auth_failed"
    assert simulator.totals()["received"] == 0


def test_a_vendor_that_repeats_the_key_does_not_get_it_into_the_error(simulator: Simulator) -> None:
    body = json.dumps({"error": {"message": f"Bad key {os.environ[KEY_ENV]} sent", "type": "x"}})
    simulator.script("faults", {"kind": "status", "status": 400, "body": body})
    with pytest.raises(Permanent) as caught:
        compatible(simulator.url).ask(prompt(), LIMITS)
    assert "Bad key … sent" in caught.value.detail
