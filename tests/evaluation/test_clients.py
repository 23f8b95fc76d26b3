"""The contract of every client, through the vendors' own SDKs, against servers over a socket."""

import json
import os
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.canonical import digest
from core.errors import LensError, Permanent, Transient
from core.secret import MARK
from evaluation.clients import CLIENTS, client_for
from evaluation.clients.kept import _clients, let_go
from evaluation.facts import read
from evaluation.models import Vendor
from evaluation.parsing import Failure, Parsed, parse
from evaluation.ports import Endpoint, Limits, Prompt, Unanswered, Unreadable
from evaluation.prompting import render
from evaluation.schemas import WORDS
from tests.evaluation.cases import closing, payload
from tests.evaluation.conftest import Simulator
from tests.evaluation.speakers import KEY_ENV, RUNGS, SPEAKERS, speaker

LIMITS = Limits(timeout_s=5, max_tokens=1_000)
every_speaker = pytest.mark.parametrize("name", list(SPEAKERS))


def prompt(data: str | None = None, event_type: str = "OPEN_SIGNAL") -> Prompt:
    data = data or payload()
    return render(data, digest(data), event_type, "core_v1")


def test_every_vendor_has_a_client() -> None:
    assert set(CLIENTS) == set(Vendor.values)


@pytest.mark.parametrize("structured", RUNGS)
@pytest.mark.parametrize(("event_type", "data"), [("OPEN_SIGNAL", payload()), ("CLOSE_SIGNAL", closing())])
@every_speaker
def test_every_client_answers_in_the_one_shape_from_every_rung(
    simulator: Simulator, name: str, event_type: str, data: str, structured: str
) -> None:
    reply = speaker(name, simulator.url, structured=structured).ask(prompt(data, event_type), LIMITS)
    found = parse(reply, read(data))
    assert isinstance(found, Parsed)
    assert found.parse_mode == "strict"
    assert found.answer.decision in WORDS[event_type]
    assert found.answer.reasons != ("no_payload",)


def test_the_baseline_answers_in_the_same_shape() -> None:
    reply = client_for("baseline", Endpoint("baseline-v1")).ask(prompt(), LIMITS)
    assert isinstance(parse(reply, read(payload())), Parsed)


@every_speaker
def test_a_reply_carries_what_the_audit_needs(simulator: Simulator, name: str) -> None:
    reply = speaker(name, simulator.url).ask(prompt(), LIMITS)
    assert reply.model_version == "gpt-sandbox"
    assert len(reply.request_id) > 15
    assert reply.finish_reason == "stop"
    assert reply.tokens_in is not None
    assert reply.tokens_in > 500
    assert reply.tokens_cached is not None
    assert 0 < reply.tokens_cached < reply.tokens_in
    assert reply.tokens_out is not None
    assert reply.tokens_out > 20


@every_speaker
def test_data_stays_out_of_the_instructions_and_a_repair_says_only_the_fault(simulator: Simulator, name: str) -> None:
    data = payload()
    client = speaker(name, simulator.url)
    client.ask(prompt(data).repairing("my answer", "the fault"), Limits(5, 700, 0.25))
    sent = simulator.prompts()[-1]
    texts = list(said(sent))
    assert [data in text for text in texts] == [False, True, False, False]
    assert "BTC" not in texts[0]
    assert texts[2:] == ["my answer", "the fault"]
    assert 700 in [*sent.values(), *sent.get("generationConfig", {}).values()]
    assert 0.25 in [*sent.values(), *sent.get("generationConfig", {}).values()]


def said(sent: dict[str, Any]) -> Iterator[str]:
    """The texts of a request, instructions first, whichever vendor it is for."""
    for head in (sent.get("system"), sent.get("systemInstruction")):
        if head:
            yield head if isinstance(head, str) else head["parts"][0]["text"]
    for turn in sent.get("messages") or sent.get("input") or sent["contents"]:
        yield turn["parts"][0]["text"] if "parts" in turn else turn["content"]


@pytest.mark.parametrize(("name", "limit"), [("openai", "max_completion_tokens"), ("compatible", "max_tokens")])
def test_what_is_not_set_is_not_sent(simulator: Simulator, name: str, limit: str) -> None:
    speaker(name, simulator.url).ask(prompt(), Limits(5, 700))
    assert set(simulator.prompts()[-1]) == {"model", "messages", "response_format", limit}


@pytest.mark.parametrize(
    ("name", "place", "word"),
    [
        ("openai", ("reasoning_effort",), "low"),
        ("openai-responses", ("reasoning", "effort"), "low"),
        ("google", ("generationConfig", "thinkingConfig", "thinking_level"), "LOW"),
        ("anthropic", ("output_config", "effort"), "low"),
    ],
)
def test_effort_reaches_each_vendor_in_its_own_words(simulator: Simulator, name: str, place: tuple[str, ...], word: str) -> None:
    speaker(name, simulator.url, effort="low").ask(prompt(), LIMITS)
    found: Any = simulator.prompts()[-1]
    for step in place:
        found = found[step]
    assert found == word


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
@every_speaker
def test_the_vendors_errors_are_sorted(
    simulator: Simulator, name: str, error: dict[str, Any], kind: type[LensError], code: str
) -> None:
    simulator.script("errors", error)
    with pytest.raises(kind) as caught:
        speaker(name, simulator.url).ask(prompt(), LIMITS)
    assert caught.value.code == code
    assert caught.value.facts["request_id"]
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
        ({"kind": "status", "status": 500, "body": "[" * 100_000}, Transient, "provider_down"),
        ({"kind": "reset"}, Unanswered, "provider_down"),
        ({"kind": "truncate"}, Unanswered, "provider_down"),
        ({"kind": "body", "body": "<html>", "headers": {"Content-Type": "text/html"}}, Unreadable, "bad_reply"),
        ({"kind": "body", "body": ""}, Unreadable, "bad_reply"),
        ({"kind": "body", "body": "[" * 100_000}, Unreadable, "bad_reply"),
        ({"kind": "body", "body": '{"choices": []}'}, Unreadable, "bad_reply"),
        ({"kind": "body", "body": '{"error": {"code": "server_is_overloaded"}}'}, Unreadable, "bad_reply"),
    ],
)
@every_speaker
def test_the_lines_faults_are_sorted(
    simulator: Simulator, name: str, fault: dict[str, Any], kind: type[LensError], code: str
) -> None:
    simulator.script("faults", fault)
    with pytest.raises(kind) as caught:
        speaker(name, simulator.url).ask(prompt(), LIMITS)
    assert caught.value.code == code
    if isinstance(caught.value, Unreadable):
        assert caught.value.raw == fault["body"][:65_536]


@every_speaker
def test_a_date_in_retry_after_is_understood(simulator: Simulator, name: str) -> None:
    simulator.script("faults", {"kind": "status", "status": 503, "headers": {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}})
    with pytest.raises(Transient) as caught:
        speaker(name, simulator.url).ask(prompt(), LIMITS)
    assert caught.value.retry_after == 0.0


@pytest.mark.parametrize("kind", ["refusal", "content_filter"])
@every_speaker
def test_a_refusal_or_a_filter_is_a_reply_and_no_error(simulator: Simulator, name: str, kind: str) -> None:
    simulator.script("answers", {"kind": kind})
    reply = speaker(name, simulator.url).ask(prompt(), LIMITS)
    assert reply.refusal or reply.finish_reason == "content_filter"
    assert reply.request_id


@every_speaker
def test_an_answer_cut_at_the_token_limit_says_so(simulator: Simulator, name: str) -> None:
    reply = speaker(name, simulator.url).ask(prompt(), Limits(5, 20))
    assert reply.finish_reason == "length"
    assert reply.text


@every_speaker
def test_ten_megabytes_are_not_read(simulator: Simulator, name: str) -> None:
    simulator.script("answers", {"kind": "oversized"})
    reply = speaker(name, simulator.url).ask(prompt(), LIMITS)
    assert len(reply.text) == 65_536
    assert "gpt-sandbox" in reply.text
    assert parse(reply, read(payload())) == Failure("invalid_json", "The answer is far longer than an answer may be.")


@pytest.mark.parametrize("fault", [{"kind": "hang"}, {"kind": "drip"}])
@every_speaker
def test_a_server_that_hangs_or_drips_does_not_outlast_the_limit(simulator: Simulator, name: str, fault: dict[str, Any]) -> None:
    simulator.script("faults", fault)
    started = time.monotonic()
    with pytest.raises(Unanswered) as caught:
        speaker(name, simulator.url).ask(prompt(), Limits(0.4, 100))
    assert caught.value.code == "timeout"
    assert time.monotonic() - started < 1.5


@pytest.fixture
def dripping_headers() -> Iterator[str]:
    """A server that never finishes its first header."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()
        # On a busy machine the deadline may pass before anybody connects; a thread left in accept would keep the run from ending.
        server.settimeout(5)

        def drip() -> None:
            try:
                connection, _ = server.accept()
            except OSError:
                return
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


@every_speaker
def test_dripping_headers_do_not_outlast_the_limit(dripping_headers: str, name: str) -> None:
    client = speaker(name, dripping_headers, key_env="")
    client.prepare()
    started = time.monotonic()
    with pytest.raises(Unanswered) as caught:
        client.ask(prompt(), Limits(0.3, 100))
    assert caught.value.code == "timeout"
    assert time.monotonic() - started < 1.5


@every_speaker
def test_nobody_listening_is_the_provider_being_down(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Transient) as caught:
        speaker(name, f"http://127.0.0.1:{port}", key_env="").ask(prompt(), LIMITS)
    assert caught.value.code == "provider_down"


@every_speaker
def test_a_missing_key_is_no_call(simulator: Simulator, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delitem(os.environ, KEY_ENV)
    with pytest.raises(Permanent) as caught:
        speaker(name, simulator.url).ask(prompt(), LIMITS)
    assert caught.value.code == "auth_failed"
    assert simulator.totals()["received"] == 0


@every_speaker
def test_a_key_in_a_file_is_taken_from_there_and_a_rotated_one_at_the_next_call(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    kept = tmp_path / "key"
    kept.write_text("sk-from-a-file-0123\n")
    monkeypatch.delitem(os.environ, KEY_ENV)
    monkeypatch.setitem(os.environ, f"{KEY_ENV}_FILE", str(kept))
    client = speaker(name, simulator.url)
    client.ask(prompt(), LIMITS)
    kept.write_text("")
    with pytest.raises(Permanent, match=f"{KEY_ENV}_FILE") as caught:
        client.ask(prompt(), LIMITS)
    assert caught.value.code == "auth_failed"
    assert simulator.totals()["received"] == 1


@every_speaker
def test_a_vendor_that_repeats_the_key_does_not_get_it_into_the_error(simulator: Simulator, name: str) -> None:
    body = json.dumps({"error": {"message": f"Bad key {os.environ[KEY_ENV]} sent", "type": "x"}})
    simulator.script("faults", {"kind": "status", "status": 400, "body": body})
    with pytest.raises(Permanent) as caught:
        speaker(name, simulator.url).ask(prompt(), LIMITS)
    assert f"Bad key {MARK} sent" in caught.value.detail
    assert os.environ[KEY_ENV] not in "".join(traceback.format_exception(caught.value))


@every_speaker
def test_nor_into_an_answer_whose_other_bytes_stay_what_they_were(simulator: Simulator, name: str) -> None:
    told = f"=\u202e {os.environ[KEY_ENV]} \\n é"
    simulator.script("answers", {"kind": "text", "text": told})
    reply = speaker(name, simulator.url).ask(prompt(), LIMITS)
    assert reply.text == told.replace(os.environ[KEY_ENV], MARK)


@every_speaker
def test_nor_into_what_is_kept_of_a_reply_that_is_none(simulator: Simulator, name: str) -> None:
    told = f"<html> {os.environ[KEY_ENV]} é"
    simulator.script("faults", {"kind": "body", "body": told})
    with pytest.raises(Unreadable) as caught:
        speaker(name, simulator.url).ask(prompt(), LIMITS)
    assert caught.value.raw == told.replace(os.environ[KEY_ENV], MARK)
    assert os.environ[KEY_ENV] not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("held", ["sk-tests 0123456789", "sk-täsks-0123456789", "sk-tests-\r\nX-Evil: 1"])
@every_speaker
def test_what_cannot_be_a_key_is_no_call_and_is_not_repeated(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, name: str, held: str
) -> None:
    monkeypatch.setitem(os.environ, KEY_ENV, held)
    with pytest.raises(Permanent, match=KEY_ENV) as caught:
        speaker(name, simulator.url).ask(prompt(), LIMITS)
    assert caught.value.code == "auth_failed"
    assert held not in str(caught.value)
    assert simulator.totals()["received"] == 0


@every_speaker
def test_white_space_around_a_key_does_not_count(simulator: Simulator, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(os.environ, KEY_ENV, f" {os.environ[KEY_ENV]}\n")
    assert speaker(name, simulator.url).ask(prompt(), LIMITS).text


def test_an_address_nobody_allowed_is_not_spoken_to(settings: Any, simulator: Simulator) -> None:
    settings.LENS = settings.LENS.model_copy(update={"model_hosts": ("vendors",)})
    with pytest.raises(Permanent) as caught:
        speaker("compatible", simulator.url)
    assert caught.value.code == "host_not_allowed"
    assert simulator.totals()["received"] == 0


def test_a_hundred_threads_share_one_client_and_its_connections(simulator: Simulator) -> None:
    let_go()
    simulator.latency(0.2)
    replies: list[str] = []
    threads = [
        threading.Thread(target=lambda: replies.append(speaker("compatible", simulator.url).ask(prompt(), LIMITS).text))
        for _ in range(100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(replies) == 100
    assert len(_clients.made) == 1


def test_a_fork_begins_without_its_parents_connections(simulator: Simulator) -> None:
    speaker("compatible", simulator.url).ask(prompt(), LIMITS)
    _clients.making.acquire()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"none" if not _clients.made and not _clients.making.locked() else b"some")
        os._exit(0)
    _clients.making.release()
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as told:
        assert told.read() == "none"
