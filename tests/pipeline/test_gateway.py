"""The gateway under hostile and parallel callers, through real HTTP: never a 5xx, never two signals for one key."""

import json
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from core.ids import uuid7
from tests.stack import ROOT, Lens

pytestmark = pytest.mark.stack

FUZZ = ROOT.parent / "shared" / "data" / "fuzz"
recorded = pytest.mark.skipif(not FUZZ.is_dir(), reason=f"no corpus at {FUZZ}")
TEXTS = (
    "event_type",
    "symbol",
    "signal_direction",
    "entry_price",
    "size",
    "ts_utc",
    "source",
    "feature_profile",
    "idempotency_key",
)
# All fields are looked at together, so one request tries all of them; what a free one is stored as is tried alone.
FREE = (["symbol"], ["source"], ["feature_profile"], ["idempotency_key"])


def test_fifty_at_once_with_one_key_are_one_signal_and_fifty_equal_answers(lens: Lens) -> None:
    body, key = lens.body(), str(uuid7())
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: lens.post(body, **{"Idempotency-Key": key}), range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    shown = [answer.json() for answer in answers]
    assert sum(not answer["duplicate"] for answer in shown) == 1
    assert len({json.dumps({**answer, "duplicate": None}, sort_keys=True) for answer in shown}) == 1


def test_the_key_may_come_in_the_header_its_alias_or_the_body_but_not_differ(lens: Lens) -> None:
    body, key = lens.body(), str(uuid7())
    first = lens.post(body, **{"X-Idempotency-Key": key})
    second = lens.post({**body, "idempotency_key": key})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["event_id"] == second.json()["event_id"]
    differing = lens.post({**body, "idempotency_key": "another"}, **{"Idempotency-Key": key})
    assert (differing.status_code, differing.json()["errors"][0]["pointer"]) == (400, "/idempotency_key")


def test_one_order_in_two_spellings_is_one_order(lens: Lens) -> None:
    body, key = lens.body(), str(uuid7())
    first = lens.post(body, **{"Idempotency-Key": key})
    respelled = {**body, "symbol": "btc-perp", "size": "0.100"}
    second = lens.post(respelled, **{"Idempotency-Key": key})
    assert (first.status_code, second.status_code) == (201, 200)


@recorded
def test_no_file_of_the_json_test_suite_breaks_the_gateway(lens: Lens) -> None:
    with tarfile.open(FUZZ / "JSONTestSuite.tar.xz") as archive:
        files = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        bodies = {name: file.read() for name, file in files.items() if file is not None}
    assert len(bodies) > 300
    answers = {name: raw(lens, body) for name, body in bodies.items()}
    assert {name: status for name, status in answers.items() if not 400 <= status < 500} == {}


@pytest.mark.parametrize("key", ["lens_00000000_wrong", None], ids=["a stranger", "a sender"])
def test_the_request_behind_a_refused_large_one_is_not_cut_off_with_it(lens: Lens, key: str | None) -> None:
    headers = {"Content-Type": "application/json"} | ({"X-API-Key": key} if key else {})
    for _ in range(25):
        refused = lens.http.post("/api/v1/signals", content=b"[" * 100_000, headers=headers)
        assert refused.status_code == (401 if key else 413)
        assert raw(lens, b"[]") == 400


@recorded
def test_no_naughty_string_in_any_text_field_breaks_the_gateway(lens: Lens) -> None:
    naughty = json.loads((FUZZ / "blns.json").read_text())
    body = lens.body()
    with ThreadPoolExecutor(8) as pool:
        cases = [(fields, text) for text in naughty for fields in (TEXTS, *FREE)]
        statuses = list(pool.map(lambda case: raw(lens, encoded({**body, **dict.fromkeys(*case)})), cases))
    assert [case for case, status in zip(cases, statuses, strict=True) if status >= 500] == []


@recorded
def test_naughty_strings_in_metadata_are_kept_or_refused(lens: Lens) -> None:
    naughty = json.loads((FUZZ / "blns.json").read_text())
    body = lens.body()
    for few in (naughty[start : start + 10] for start in range(0, len(naughty), 10)):
        metadata = {"notes": few, **{text[:50]: 1 for text in few}}
        assert raw(lens, encoded({**body, "metadata": metadata})) < 500, few


def raw(lens: Lens, body: bytes) -> int:
    """The status a sender ends with who tries again, as told, while the gateway is too busy to say."""
    ends = time.monotonic() + 30
    while True:
        try:
            answer = lens.http.post("/api/v1/signals", content=body, headers={"Content-Type": "application/json"})
        except httpx2.TransportError as error:
            pytest.fail(f"{body[:80]!r}: {error!r}")
        if answer.status_code != 503 or time.monotonic() > ends:
            return answer.status_code
        time.sleep(float(answer.headers["Retry-After"]))


def encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()
