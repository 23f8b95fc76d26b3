"""What the control routes promise: scripts obeyed and counted, input checked, every prompt's fate on the ledger."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from sandbox.llm.ledger import KEPT_BODIES, Call, Counts, Ledger
from sandbox.llm.misbehaviour import KINDS, OVERSIZED, dump, misbehave
from sandbox.llm.opinions import form_opinion
from sandbox.llm.payloads import Payload
from tests.sandbox.llm_rig import ROOT, Answer, payload, prompt, running, started

KEY = {"Authorization": "Bearer k"}
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx2.Client]:
    with running() as address, httpx2.Client(base_url=address, headers=KEY, timeout=5) as client:
        yield client


@pytest.fixture(autouse=True)
def _clean(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "client" in request.fixturenames:
        control: httpx2.Client = request.getfixturevalue("client")
        for name in ("answers", "errors", "faults", "latency", "calls"):
            control.delete(f"/_control/{name}").raise_for_status()


def body(event_id: str = "e1", model: str = "m", *, repair: bool = False) -> dict[str, Any]:
    turns = [{"role": "user", "content": prompt(event_id)}]
    if repair:
        turns += [{"role": "assistant", "content": "{}"}, {"role": "user", "content": "confidence: field required. Answer again."}]
    return {"model": model, "messages": turns}


def script(client: httpx2.Client, name: str, rules: object) -> None:
    client.put(f"/_control/{name}", json=rules).raise_for_status()


def said(answer: httpx2.Response) -> str:
    return str(answer.json()["choices"][0]["message"]["content"])


def counts(client: httpx2.Client, event_id: str = "e1") -> dict[str, Any]:
    """The counts of an event that one model was asked about."""
    [call] = client.get("/_control/calls", params={"event_id": event_id}).json()["calls"]
    return {name: number for name, number in call.items() if number and name not in {"event_id", "model"}}


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in 15 s"
        time.sleep(0.02)


# ------------------------------------------------------------------------------------------------ scripted answers


def test_every_kind_has_its_fault() -> None:
    answer = form_opinion(Payload(payload(), "x"), "m")
    texts = {kind: misbehave(kind, answer).text for kind in KINDS}
    assert Answer.model_validate(json.loads(texts["fenced"].removeprefix("```json\n").removesuffix("\n```")))
    assert dump(answer) in texts["prose"]
    assert json.loads(texts["schema_error"])["confidence"] > 1
    assert '"confidence": NaN' in texts["nan"]
    assert len(json.loads(texts["oversized"])["reasons"][0]) == OVERSIZED
    assert json.loads(texts["compromised"])["size_pct"] == 1e9
    assert "leverage" in json.loads(texts["compromised"])
    assert any("<script>" in reason for reason in Answer.model_validate_json(texts["injection"]).reasons)
    for kind in ("invalid_json", "length", "fenced", "prose", "empty"):
        with pytest.raises(json.JSONDecodeError):
            json.loads(texts[kind])
    assert {kind: misbehave(kind, answer).finish for kind in KINDS if misbehave(kind, answer).finish != "stop"} == {
        "refusal": "refusal",
        "length": "length",
        "content_filter": "content_filter",
    }


@pytest.mark.parametrize(("decision", "wrong"), [("FOLLOW_ENTER", "FOLLOW_EXIT"), ("IGNORE", "FOLLOW_EXIT"), ("HOLD", "IGNORE")])
def test_the_wrong_events_word_is_legal_for_the_other_event(decision: str, wrong: str) -> None:
    answer = {**form_opinion(None, "m"), "decision": decision}
    assert Answer.model_validate_json(misbehave("wrong_event_word", answer).text).decision == wrong


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_scripted(client: httpx2.Client, kind: str) -> None:
    script(client, "answers", [{"kind": kind, "text": "said so"}])
    message = client.post(CHAT, json=body()).raise_for_status().json()["choices"][0]["message"]
    assert message["refusal" if kind == "refusal" else "content"] == "said so"


def test_rules_match_by_tag_and_run_out(client: httpx2.Client) -> None:
    rules = [
        {"match": {"model": "a", "prompt": "first"}, "kind": "text", "text": "one", "times": 1},
        {"match": {"event_id": "e2"}, "kind": "text", "text": "two", "after": 1},
        {"match": {"event_type": "CLOSE_SIGNAL"}, "kind": "text", "text": "three"},
    ]
    script(client, "answers", rules)
    honest = said(client.post(CHAT, json=body("e9", "b")))
    Answer.model_validate_json(honest)
    assert said(client.post(CHAT, json=body("e1", "a", repair=True))) not in {"one", "two", "three"}
    assert said(client.post(CHAT, json=body("e1", "a"))) == "one"
    assert said(client.post(CHAT, json=body("e1", "a"))) != "one"
    assert [said(client.post(CHAT, json=body("e2", "b"))) == "two" for _ in range(3)] == [False, True, True]
    assert [rule["fired"] for rule in client.get("/_control/answers").json()] == [1, 2, 0]
    assert client.delete("/_control/answers").json() == []
    assert said(client.post(CHAT, json=body("e9", "b"))) == honest


@pytest.mark.parametrize(
    ("name", "sent", "status"),
    [
        pytest.param("answers", "{", 400, id="answers: no JSON"),
        pytest.param("answers", "{}", 422, id="answers: no list"),
        pytest.param("answers", '[{"kind":"odd"}]', 422, id="answers: unknown kind"),
        pytest.param("answers", '[{"kind":"text"}]', 422, id="answers: text without words"),
        pytest.param("answers", '[{"kind":"fenced","match":{"modle":"x"}}]', 422, id="answers: unknown tag"),
        pytest.param("answers", '[{"kind":"fenced","times":0}]', 422, id="answers: no times"),
        pytest.param("answers", '[{"kind":"fenced","colour":1}]', 422, id="answers: unknown key"),
        pytest.param("errors", '[{"preset":"odd"}]', 422, id="errors: unknown preset"),
        pytest.param("errors", '[{"preset":"auth","retry_after":"soon"}]', 422, id="errors: no number"),
        pytest.param("latency", '{"seconds":-1}', 422, id="latency: negative"),
        pytest.param("latency", '{"by_model":{"m":"slow"}}', 422, id="latency: no number"),
        pytest.param("faults", '[{"kind":"odd"}]', 422, id="faults: unknown kind"),
        pytest.param("faults", "[", 400, id="faults: no JSON"),
    ],
)
def test_bad_control_input_is_refused_with_a_reason_and_changes_nothing(
    client: httpx2.Client, name: str, sent: str, status: int
) -> None:
    before = client.get(f"/_control/{name}").json()
    answer = client.put(f"/_control/{name}", content=sent)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert client.get(f"/_control/{name}").json() == before


def test_latency_by_model_delays_answers_but_not_errors(client: httpx2.Client) -> None:
    script(client, "latency", {"seconds": 0, "by_model": {"slow": 2}})
    script(client, "errors", [{"match": {"event_id": "e2"}, "preset": "rate_limit"}])
    took = {}
    for event_id, model in (("e1", "slow"), ("e1", "fast"), ("e2", "slow")):
        start = time.monotonic()
        client.post(CHAT, json=body(event_id, model))
        took[event_id, model] = time.monotonic() - start
    assert took["e1", "slow"] >= 2
    assert max(took["e1", "fast"], took["e2", "slow"]) < 2


# ------------------------------------------------------------------------------------------------ the ledger


def test_first_asks_and_repairs_are_counted_apart(client: httpx2.Client) -> None:
    client.post(CHAT, json=body("e1"))
    client.post(CHAT, json=body("e1", repair=True))
    wanted = {"received": 2, "answered": 2, "received_first": 1, "received_repair": 1, "answered_first": 1, "answered_repair": 1}
    assert counts(client) == wanted


def test_gemini_s_model_turn_makes_a_repair(client: httpx2.Client) -> None:
    turns = [("user", prompt("g1")), ("model", "{}"), ("user", "again")]
    contents = [{"role": role, "parts": [{"text": text}]} for role, text in turns]
    client.post("/v1beta/models/m:generateContent", json={"contents": contents}, headers={"x-goog-api-key": "k"}).raise_for_status()
    assert counts(client, "g1")["answered_repair"] == 1


@pytest.mark.parametrize(
    ("scripts", "headers", "sent"),
    [
        pytest.param({"errors": [{"preset": "server_error"}]}, KEY, body(), id="scripted error"),
        pytest.param({"faults": [{"kind": "status", "status": 503}]}, KEY, body(), id="scripted status"),
        pytest.param({"faults": [{"kind": "body", "body": "<html>"}]}, KEY, body(), id="scripted body"),
        pytest.param({}, {"Authorization": "Bearer bad"}, body(), id="bad key"),
        pytest.param({}, KEY, {**body(), "response_format": {"type": "json_schema"}}, id="refused request"),
        pytest.param(
            {},
            KEY,
            {**body(), "response_format": {"type": "json_schema", "json_schema": {"name": "A", "schema": {"$ref": "#"}}}},
            id="endless",
        ),
    ],
)
def test_what_is_not_answered_is_not_paid(
    client: httpx2.Client, scripts: dict[str, Any], headers: dict[str, str], sent: dict[str, Any]
) -> None:
    for name, rules in scripts.items():
        script(client, name, rules)
    client.post(CHAT, json=sent, headers=headers)
    assert counts(client) == {"received": 1, "received_first": 1, "failed": 1}


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        pytest.param(
            {"kind": "delay", "delay_s": 0.1}, {"received": 1, "received_first": 1, "answered": 1, "answered_first": 1}, id="delay"
        ),
        pytest.param(
            {"kind": "truncate"}, {"received": 1, "received_first": 1, "answered": 1, "answered_first": 1, "cut": 1}, id="truncate"
        ),
        pytest.param(
            {"kind": "drip"}, {"received": 1, "received_first": 1, "answered": 1, "answered_first": 1, "cut": 1}, id="drip"
        ),
        pytest.param({"kind": "reset"}, {"received": 1, "received_first": 1, "failed": 1}, id="reset"),
        pytest.param({"kind": "hang"}, {"received": 1, "received_first": 1, "failed": 1}, id="hang"),
    ],
)
def test_faults_on_the_line_are_accounted_for(client: httpx2.Client, fault: dict[str, Any], wanted: dict[str, int]) -> None:
    script(client, "faults", [{**fault, "match": {"event_id": "e1"}}])
    with httpx2.Client(base_url=client.base_url, headers=KEY, timeout=0.5) as impatient:
        if fault["kind"] == "delay":
            impatient.post(CHAT, json=body()).raise_for_status()
        else:
            with pytest.raises(httpx2.TransportError):
                impatient.post(CHAT, json=body())
    eventually(lambda: counts(client) == wanted)
    eventually(lambda: client.get("/_control/calls").json()["in_flight"] == 0)


def test_an_answer_is_paid_even_when_the_client_has_hung_up(client: httpx2.Client) -> None:
    script(client, "latency", {"seconds": 3})
    with httpx2.Client(base_url=client.base_url, headers=KEY, timeout=0.5) as impatient, pytest.raises(httpx2.ReadTimeout):
        impatient.post(CHAT, json=body())
    eventually(lambda: counts(client) == {"received": 1, "received_first": 1})
    eventually(lambda: counts(client).get("answered") == 1)


def test_counts_are_exact_under_fifty_concurrent_calls(client: httpx2.Client) -> None:
    script(client, "latency", {"seconds": 0.3})

    async def ask_all() -> list[int]:
        async with httpx2.AsyncClient(base_url=client.base_url, headers=KEY, timeout=30) as many:
            asked = [(f"e{number % 10}", f"m{number % 5}", number >= 25) for number in range(50)]
            answers = await asyncio.gather(
                *(many.post(CHAT, json=body(event, model, repair=again)) for event, model, again in asked)
            )
            return [answer.status_code for answer in answers]

    assert asyncio.run(ask_all()) == [200] * 50
    ledger = client.get("/_control/calls").json()
    assert (ledger["in_flight"], ledger["in_flight_peak"]) == (0, 50)
    assert len(ledger["calls"]) == 10
    assert all(call["answered"] == call["received"] == 5 for call in ledger["calls"])
    assert (ledger["totals"]["answered_first"], ledger["totals"]["answered_repair"]) == (25, 25)


def test_the_ledger_starts_anew_while_a_call_is_in_flight(client: httpx2.Client) -> None:
    script(client, "latency", {"seconds": 0.3})
    with httpx2.Client(base_url=client.base_url, headers=KEY, timeout=0.1) as impatient, pytest.raises(httpx2.ReadTimeout):
        impatient.post(CHAT, json=body())
    assert client.delete("/_control/calls").json()["totals"]["received"] == 0
    script(client, "latency", {"seconds": 0.6})
    client.post(CHAT, json=body("e2"))
    ledger = client.get("/_control/calls").json()
    assert (ledger["in_flight"], ledger["in_flight_peak"], ledger["totals"]["received"]) == (0, 1, 1)


def test_the_last_prompts_are_shown_whole(client: httpx2.Client) -> None:
    for number in range(25):
        client.post(CHAT, json=body(f"e{number}"))
    client.post(CHAT, content=b"\xff not JSON")
    last = client.get("/_control/calls/last").json()
    assert len(last) == 20
    assert [call["event_id"] for call in last[-3:]] == ["e23", "e24", "-"]
    assert last[-2]["body"] == body("e24")
    assert "not JSON" in last[-1]["body"]
    assert len(client.get("/_control/calls/last?n=2").json()) == 2
    assert [client.get(f"/_control/calls/last?n={n}").status_code for n in ("0", "x", "²", "201")] == [400] * 4


def test_an_unknown_event_has_no_calls(client: httpx2.Client) -> None:
    assert client.get("/_control/calls?event_id=nobody").json()["calls"] == []


def test_memory_is_bounded_and_two_hundred_thousand_events_are_kept() -> None:
    ledger = Ledger()
    for number in range(260_000):
        with ledger.open(Call("/x", "m", f"e{number}")) as ticket:
            ticket.answered()
    assert len(ledger._events) == 250_000
    assert ledger._events["e10000"] == {"m": Counts(received_first=1, answered_first=1)}
    assert len(ledger._bodies) == KEPT_BODIES


# ------------------------------------------------------------------------------------------------ the process


def test_sigterm_ends_the_process_at_once_even_with_calls_in_flight() -> None:
    with started() as (address, process):
        httpx2.put(f"{address}/_control/faults", json=[{"kind": "hang"}]).raise_for_status()
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as held:
            sent = json.dumps(body()).encode()
            held.sendall(
                f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nContent-Length: {len(sent)}\r\n\r\n".encode() + sent
            )
            eventually(lambda: httpx2.get(f"{address}/_control/calls").json()["in_flight"] == 1)
            process.terminate()
            assert process.wait(timeout=10) == 0


def test_health_and_a_latency_from_the_command_line() -> None:
    with running("--latency", "0.3") as address:
        assert httpx2.get(f"{address}/_control/health").json() == {"status": "ok"}
        assert httpx2.get(f"{address}/_control/latency").json() == {"seconds": 0.3, "by_model": {}}
        start = time.monotonic()
        httpx2.post(address + CHAT, json=body(), headers=KEY).raise_for_status()
        assert time.monotonic() - start >= 0.3


def test_a_taken_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "sandbox.llm", "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "address already in use" in ended.stderr
    assert ended.stdout == ""
