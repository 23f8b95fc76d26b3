"""One signal through the whole product: HTTP in, decisions out, everything kept."""

import json
import re
from typing import Any

import httpx2
import pytest
from websockets.sync.client import connect

from core.canonical import digest
from core.ids import uuid7
from tests.stack import Lens

pytestmark = pytest.mark.stack

MODELS = {"baseline", "chatgpt"}
FLAGS = ("missing_data", "stale_data", "out_of_range", "provider_errors")


def test_a_signal_comes_out_of_both_sockets_once_as_stored_decisions(lens: Lens) -> None:
    with lens.listen(0) as first, lens.listen(1) as second:
        event_id = lens.submit()
        for listener in (first, second):
            listener.until_verdicts([event_id])
    heard = [[frame for frame in listener.frames if frame["event_id"] == event_id] for listener in (first, second)]
    assert [[(frame["type"], frame["seq"]) for frame in frames] for frames in heard[:1]] == [
        [(frame["type"], frame["seq"]) for frame in frames] for frames in heard[1:]
    ]
    decisions, verdict = heard[0][:-1], heard[0][-1]
    assert {frame["model"] for frame in decisions} == MODELS
    assert len(decisions) == len(MODELS)
    assert verdict["type"] == "verdict"
    assert {vote["model"] for vote in verdict["data"]["votes"]} == MODELS
    stored = lens.event(event_id)
    assert stored["status"] == "published"
    assert {item["model"]: item["decision"] for item in stored["decisions"]} == {
        frame["model"]: frame["decision"] for frame in decisions
    }
    assert all(frame["market"] == "sandbox" for frame in heard[0])


def test_every_step_is_on_the_timeline_and_every_hash_on_the_decision(lens: Lens) -> None:
    event_id = lens.submit()
    lens.settled([event_id])
    event = lens.http.get(f"/api/v1/events/{event_id}", params={"expand": "payload"}).json()
    steps = [entry["status"] for entry in event["timeline"]]
    assert steps[:2] == ["received", "enriched"]
    assert steps[-2:] == ["evaluated", "published"]
    assert steps.count("decision") == len(MODELS)
    assert event["enrichment"]["payload_bytes"] <= 4096
    assert digest(event["enrichment"]["payload"]) == event["enrichment"]["payload_hash"]
    assert event["enrichment"]["quality_flags"] == {name: [] for name in FLAGS}
    for item in event["decisions"]:
        assert item["payload_hash"] == event["enrichment"]["payload_hash"]
        assert item["status"] == "ok"
    judged = next(item for item in event["decisions"] if item["model"] == "chatgpt")
    assert all(re.fullmatch(r"[0-9a-f]{64}", judged[name]) for name in ("prompt_hash", "schema_hash"))


def test_the_stream_over_rest_is_what_the_socket_said(lens: Lens) -> None:
    with lens.listen() as listener:
        event_id = lens.submit()
        listener.until_verdicts([event_id])
    over_rest = {frame["seq"]: frame for frame in lens.frames()}
    for frame in listener.frames:
        same = over_rest[frame["seq"]]
        assert {key: frame[key] for key in ("event_id", "type", "model", "decision", "data")} == {
            key: same[key] for key in ("event_id", "type", "model", "decision", "data")
        }
    assert sorted(over_rest) == list(range(1, len(over_rest) + 1))


def test_a_client_that_was_away_resumes_where_it_was(lens: Lens) -> None:
    with lens.listen() as listener:
        first = lens.submit()
        listener.until_verdicts([first])
    last = listener.frames[-1]
    missed = [lens.submit(symbol=symbol) for symbol in ("ETH", "SOL")]
    lens.settled(missed)
    with lens.listen(1, since={"epoch": last["epoch"], "seq": last["seq"]}) as resumed:
        resumed.until_verdicts(missed)
    seqs = [frame["seq"] for frame in resumed.frames]
    assert seqs == list(range(last["seq"] + 1, last["seq"] + 1 + len(seqs)))
    assert [frame["prev_seq"] for frame in resumed.frames] == [last["seq"], *seqs[:-1]]


def test_the_same_key_is_the_same_signal(lens: Lens) -> None:
    body, key = lens.body(), str(uuid7())
    answers = [lens.post(body, **{"Idempotency-Key": key}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert len({answer.json()["event_id"] for answer in answers}) == 1
    assert [answer.json()["duplicate"] for answer in answers] == [False, True, True]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    other = lens.post({**body, "size": "0.2"}, **{"Idempotency-Key": key})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ts_utc": "2020-01-01T00:00:00Z"}, "signal_too_old"),
        ({"ts_utc": "2099-01-01T00:00:00Z"}, "signal_in_future"),
        ({"entry_price": "1000", "liquidation_price": "900"}, "price_drift"),
    ],
)
def test_a_signal_that_must_not_go_further_ends_rejected_and_is_heard(lens: Lens, change: dict[str, Any], code: str) -> None:
    with lens.listen() as listener:
        event_id = lens.submit(**change)
        listener.until_verdicts([event_id])
    event = lens.settled([event_id])[event_id]
    assert (event["status"], event["rejection"]["code"], event["decisions"]) == ("rejected", code, [])
    frame = next(frame for frame in listener.frames if frame["event_id"] == event_id)
    assert (frame["decision"], frame["fallback"], frame["data"]["votes"]) == ("IGNORE", True, [])
    assert frame["data"]["reason"] == code


def test_a_close_is_never_rejected_for_drift(lens: Lens) -> None:
    event_id = lens.submit(event_type="CLOSE_SIGNAL", signal_direction="close_long", entry_price="1000", liquidation_price=None)
    event = lens.settled([event_id])[event_id]
    assert event["status"] == "published"
    assert event["verdict"]["decision"] in {"FOLLOW_EXIT", "HOLD", "TIGHTEN_STOP"}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"entry_price": "NaN"}, "/entry_price"),
        ({"entry_price": 1e30}, "/entry_price"),
        ({"size": True}, "/size"),
        ({"size": "-1"}, "/size"),
        ({"symbol": "USD"}, "/symbol"),
        ({"signal_direction": "close_long"}, "/signal_direction"),
        ({"liquidation_price": "99999999"}, "/liquidation_price"),
        ({"ts_utc": "2026-01-05T09:00:00"}, "/ts_utc"),
        ({"ts_utc": 1767603600}, "/ts_utc"),
        ({"source": "desk 7"}, "/source"),
        ({"note": "buy!"}, "/note"),
        ({"metadata": {"a": {"b": 1}}}, "/metadata"),
        ({"idempotency_key": "x" * 300}, "/idempotency_key"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_stored(lens: Lens, change: dict[str, Any], pointer: str) -> None:
    answer = lens.post(lens.body(**change))
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    problem = answer.json()
    assert problem["code"] == "validation_error"
    assert pointer in [error["pointer"] for error in problem["errors"]]


@pytest.mark.parametrize("raw", [b"{", b'{"a":NaN}', b'{"a":1,"a":2}', b"[" * 100, b"\xff\xfe", b'{"symbol":"\\u0000"}'])
def test_bad_json_is_a_400_and_no_crash(lens: Lens, raw: bytes) -> None:
    answer = lens.http.post("/api/v1/signals", content=raw, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


def test_a_body_over_the_limit_is_a_413(lens: Lens) -> None:
    answer = lens.http.post("/api/v1/signals", content=b" " * 70_000, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


def test_without_a_key_nothing_opens(lens: Lens) -> None:
    for path in ("/api/v1/signals", f"/api/v1/events/{uuid7()}", "/api/v1/decisions/stream", "/api/v1/queue/depth"):
        bare = httpx2.get(lens.facts["http"] + path, timeout=30)
        wrong = httpx2.get(lens.facts["http"] + path, headers={"X-API-Key": "lens_00000000_nothing"}, timeout=30)
        assert [answer.status_code for answer in (bare, wrong)] == [401, 401]
        assert bare.json()["code"] == "unauthenticated"


def test_a_key_without_the_scope_is_told_so(lens: Lens) -> None:
    text = json.loads(lens.manage("create_api_key", "reader", "--scopes", "decisions:read", "--json"))["key"]
    answer = httpx2.post(lens.facts["http"] + "/api/v1/signals", json=lens.body(), headers={"X-API-Key": text}, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    with connect(lens.facts["ws"][0] + "/ws/decisions", additional_headers={"Authorization": f"Bearer {text}"}) as socket:
        assert json.loads(socket.recv(timeout=10))["type"] == "welcome"


def test_unknown_addresses_and_methods_are_problems_too(lens: Lens) -> None:
    assert lens.http.get("/api/v1/nowhere").json()["code"] == "not_found"
    assert lens.http.get("/api/v1/signals").json()["code"] == "method_not_allowed"
    assert (
        lens.http.post("/api/v1/signals", content=b"x", headers={"Content-Type": "text/csv"}).json()["code"]
        == "unsupported_media_type"
    )
    assert lens.http.get(f"/api/v1/events/{uuid7()}").status_code == 404


def test_probes_and_metrics_tell_the_truth(lens: Lens) -> None:
    event_id = lens.submit()
    lens.settled([event_id])
    assert httpx2.get(lens.facts["http"] + "/health", timeout=30).json() == {"status": "ok"}
    ready = httpx2.get(lens.facts["http"] + "/ready", timeout=30)
    assert (ready.status_code, set(ready.json()["dependencies"].values())) == (200, {"ok", "exact", "unused"})
    assert ready.json()["dependencies"]["webhooks"] == "unused"
    text = httpx2.get(lens.facts["http"] + "/metrics", timeout=30).text
    for series in (
        'lens_signals_received_total{source="desk_7"}',
        "lens_signals_enqueued_total",
        'lens_enrichment_duration_seconds_count{profile="trend_follow_v1"}',
        'lens_model_evaluation_duration_seconds_count{model="chatgpt"}',
        'lens_decisions_published_total{model="baseline"}',
        "lens_end_to_end_duration_seconds_count",
        'lens_model_tokens_total{direction="',
        'lens_provider_requests_total{endpoint="candleSnapshot"',
        "lens_stream_head_seq",
        "lens_sweep_age_seconds",
    ):
        assert series in text, series
    assert event_id not in text
    assert "BTC" not in text


def test_the_doctor_finds_a_fresh_installation_well_from_another_shell(lens: Lens) -> None:
    findings = json.loads(lens.manage("doctor", "--json"))["findings"]
    assert {finding["name"]: finding["state"] for finding in findings if finding["state"] != "ok"} == {}


def test_the_sample_command_prints_the_decisions(lens: Lens) -> None:
    shown = lens.manage("send_signal", "--sample", "--follow")
    assert shown.startswith("accepted")
    assert "baseline" in shown
    assert "verdict" in shown.splitlines()[-1]


def test_the_admin_shows_the_history_and_lets_nobody_change_it(lens: Lens) -> None:
    event_id = lens.submit()
    lens.settled([event_id])
    with httpx2.Client(base_url=lens.facts["http"], follow_redirects=True) as browser:
        page = browser.get("/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token is not None
        credentials = {"username": lens.facts["admin"]["user"], "password": lens.facts["admin"]["password"]}
        browser.post(
            "/admin/login/?next=/admin/",
            data={**credentials, "csrfmiddlewaretoken": token[1]},
            headers={"Referer": lens.facts["http"]},
        )
        for path in (
            "signals/signal/",
            f"signals/signal/{event_id}/change/",
            "evaluation/decision/",
            "evaluation/evaluationmodel/",
            "audit/timelineentry/",
            "audit/deadletter/",
            "enrichment/enrichment/",
            "publishing/frame/",
            "access/apikey/",
            "signals/source/",
        ):
            assert browser.get(f"/admin/{path}").status_code == 200, path
        assert browser.get("/admin/signals/signal/add/").status_code == 403


def test_work_that_is_given_up_is_heard_kept_and_can_be_brought_back(lens: Lens) -> None:
    body = lens.body()
    lens.script("exchange", "faults", [{"kind": "status", "status": 400, "match": {"endpoint": "l2Book"}}])
    with lens.listen() as listener:
        event_id = lens.post(body).json()["event_id"]
        listener.until_verdicts([event_id])
        buried = lens.event(event_id)
        assert (buried["status"], buried["timeline"][-1]["details"]["code"]) == ("dlq", "provider_refused")
        told = listener.frames[-1]
        assert (told["decision"], told["fallback"], told["data"]["reason"]) == ("IGNORE", True, "provider_refused")
        lens.unscript("exchange", "faults")
        counted = json.loads(lens.manage("retry_dlq", "--event", event_id, "--yes", "--json"))
        assert counted["counts"] == [{"stage": "enrich", "reason_code": "provider_refused", "count": 1}]
        assert (counted["selected"], counted["requeued"], counted["dry_run"]) == (1, 1, False)
        heard = listener.until(lambda frame: frame["type"] == "verdict" and frame["event_id"] == event_id)
    assert (heard["evaluation"], heard["fallback"]) == (1, False)
    assert lens.event(event_id)["status"] == "published"
