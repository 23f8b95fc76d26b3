"""Keys over HTTP: made, listed, rotated, ended – by administrators only, and their text shown once."""

import json
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from redis import Redis
from rest_framework.test import APIClient

from access import services
from access.models import ApiKey
from access.services import authenticate, create_key, revoke_key
from access.windows import Limits
from core.clock import now
from core.ids import uuid7
from publishing.hub import WATCH_S

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
KEYS = "/api/v1/keys"


def client(*scopes: str, **terms: Any) -> APIClient:
    made = APIClient()
    made.credentials(HTTP_X_API_KEY=create_key("caller", scopes or ["admin"], **terms)[1])
    return made


@pytest.fixture
def admin() -> APIClient:
    return client()


def make(admin: APIClient, **fields: Any) -> dict[str, Any]:
    answer = admin.post(KEYS, {"name": "bot", "scopes": ["signals:write"], **fields}, format="json")
    assert answer.status_code == 201, answer.content
    assert answer["Cache-Control"] == "no-store"
    return dict(answer.json())


def test_a_key_made_over_http_opens_what_it_was_made_for(admin: APIClient) -> None:
    ends = now() + timedelta(days=9)
    made = make(admin, allowed_sources=["desk_7"], rate_per_minute=5, burst=0, expires_at=ends.isoformat())
    caller = authenticate(made["key"])
    assert caller is not None
    assert (caller.id, caller.scopes, caller.allowed_sources) == (
        f"key:{made['id']}",
        frozenset({"signals:write"}),
        frozenset({"desk_7"}),
    )
    assert caller.limits == Limits(5, 0)
    assert abs(datetime.fromisoformat(made["expires_at"]) - ends) < timedelta(milliseconds=1)


def test_the_text_is_shown_once_and_no_hash_ever(admin: APIClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        made = make(admin)
        successor = admin.post(f"{KEYS}/{made['id']}/rotate", {}, format="json").json()
        listed = admin.get(KEYS).content.decode()
        gone = admin.post(f"{KEYS}/{made['id']}/rotate", {}, format="json").content.decode()
    row = ApiKey.objects.get(pk=made["id"])
    assert made["prefix"] in listed
    for secret in (made["key"], made["key"].rsplit("_", 1)[1], successor["key"], row.key_hash):
        assert secret not in listed + gone + caplog.text
    assert "key_hash" not in json.dumps([made, successor]) + listed


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["everything"]}, "/scopes/0"),
        ({"scopes": "admin"}, "/scopes"),
        ({"name": ""}, "/name"),
        ({"name": 7}, "/name"),
        ({"name": "a\nb"}, "/name"),
        ({"allowed_sources": ["a b"]}, "/allowed_sources/0"),
        ({"burst": -1}, "/burst"),
        ({"burst": True}, "/burst"),
        ({"burst": "5"}, "/burst"),
        ({"burst": 1.5}, "/burst"),
        ({"rate_per_minute": 10**60}, "/rate_per_minute"),
        ({"rate_per_minute": 1e300}, "/rate_per_minute"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, "/expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-23:00"}, "/expires_at"),
        ({"expires_at": 7}, "/expires_at"),
        ({"expires": "90d"}, "/expires"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(admin: APIClient, fields: dict[str, Any], pointer: str) -> None:
    answer = admin.post(KEYS, {"name": "bot", "scopes": ["admin"], **fields}, format="json")
    assert answer.status_code == 400
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("body", [[], "x", None, 5])
def test_a_body_that_is_no_object_is_a_400(admin: APIClient, body: Any) -> None:
    assert admin.post(KEYS, json.dumps(body), content_type="application/json").status_code == 400


def every_call(caller: APIClient) -> list[int]:
    key, _ = create_key("other", ["events:read"])
    answers = [
        caller.get(KEYS),
        caller.post(KEYS, {"name": "bot", "scopes": ["admin"]}, format="json"),
        caller.post(f"{KEYS}/{key.pk}/rotate", {}, format="json"),
        caller.delete(f"{KEYS}/{key.pk}"),
    ]
    return [answer.status_code for answer in answers]


def test_only_administrators_may(monkeypatch: pytest.MonkeyPatch, lens: Callable[..., None]) -> None:
    assert every_call(client()) == [200, 201, 201, 204]
    assert every_call(client("signals:write", "events:read", "decisions:read", "dlq:write")) == [403] * 4
    assert every_call(client("admin", allowed_sources=["desk_7"])) == [403] * 4
    assert every_call(APIClient()) == [401] * 4
    lens(trusted_networks=(ip_network("127.0.0.0/8"),))
    assert every_call(APIClient()) == [403] * 4


def test_lists_come_in_pages_newest_first(admin: APIClient) -> None:
    made = [make(admin, name=f"bot {number}")["id"] for number in range(5)]
    seen: list[str] = []
    at: str | None = f"{KEYS}?limit=2"
    while at:
        page = admin.get(at).json()
        seen += [key["id"] for key in page["results"]]
        at = page["next"]
    assert seen[:5] == made[::-1]
    assert len(seen) == 6
    for query in ("limit=0", "limit=201", "limit=x", "cursor=x", "cursor=cD14", "page=2"):
        assert admin.get(f"{KEYS}?{query}").status_code == 400, query


def test_a_deleted_key_opens_nothing_within_a_second(admin: APIClient) -> None:
    made = make(admin)
    assert authenticate(made["key"]) is not None
    began = time.monotonic()
    assert admin.delete(f"{KEYS}/{made['id']}").status_code == 204
    while authenticate(made["key"]) is not None:
        assert time.monotonic() - began < 3
        time.sleep(0.01)
    assert admin.delete(f"{KEYS}/{made['id']}").status_code == 204
    assert admin.get(KEYS).json()["results"][0]["revoked_at"] is not None


def test_what_does_not_exist_is_a_404(admin: APIClient) -> None:
    assert admin.delete(f"{KEYS}/{uuid7()}").status_code == 404
    assert admin.post(f"{KEYS}/{uuid7()}/rotate", {}, format="json").status_code == 404
    assert admin.delete(f"{KEYS}/7").json()["code"] == "not_found"


def test_both_keys_work_during_the_overlap_as_one_caller(admin: APIClient) -> None:
    made = make(admin, allowed_sources=["desk_7"], burst=7)
    new = admin.post(f"{KEYS}/{made['id']}/rotate", {"overlap_s": 3600}, format="json").json()
    callers = [authenticate(made["key"]), authenticate(new["key"])]
    assert callers[0] is not None
    assert callers[0] == callers[1]
    third = admin.post(f"{KEYS}/{new['id']}/rotate", {}, format="json").json()
    assert authenticate(third["key"]) == callers[0]


def test_the_old_key_ends_with_the_overlap(admin: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(admin)
    new = admin.post(f"{KEYS}/{made['id']}/rotate", {"overlap_s": 3}, format="json").json()
    assert authenticate(made["key"]) is not None
    ends = time.monotonic() + 10
    while authenticate(made["key"]) is not None:
        assert time.monotonic() < ends
        time.sleep(0.05)
    assert authenticate(new["key"]) is not None


def test_the_usual_overlap_is_a_day_and_never_lengthens_a_life(admin: APIClient) -> None:
    made = make(admin)
    admin.post(f"{KEYS}/{made['id']}/rotate", format="json")
    ends = ApiKey.objects.get(pk=made["id"]).expires_at
    assert ends is not None
    assert abs(ends - now() - timedelta(days=1)) < timedelta(seconds=30)
    brief = make(admin, expires_at=(now() + timedelta(minutes=1)).isoformat())
    new = admin.post(f"{KEYS}/{brief['id']}/rotate", format="json").json()
    assert admin.get(KEYS).json()["results"][1]["expires_at"] == brief["expires_at"]
    assert abs(datetime.fromisoformat(new["expires_at"]) - now() - timedelta(minutes=1)) < timedelta(seconds=30)


def test_a_key_is_rotated_once_and_only_while_it_lives(admin: APIClient) -> None:
    def rotate(key: dict[str, Any]) -> int:
        return int(admin.post(f"{KEYS}/{key['id']}/rotate", {}, format="json").status_code)

    twice, revoked = make(admin), make(admin)
    revoke_key(revoked["id"])
    assert [rotate(twice), rotate(twice), rotate(revoked)] == [201, 409, 409]


@pytest.mark.parametrize("overlap", [-1, 30 * 86_400 + 1, "1", None, 0.5])
def test_an_overlap_out_of_bounds_is_refused(admin: APIClient, overlap: Any) -> None:
    made = make(admin)
    assert admin.post(f"{KEYS}/{made['id']}/rotate", {"overlap_s": overlap}, format="json").status_code == 400


def test_the_commands_make_limits_and_rotate(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_api_key", "load", "--scopes", "signals:write", "--rate", "0", "--burst", "0", "--json")
    made = json.loads(capsys.readouterr().out)
    old = authenticate(made["key"])
    assert old is not None
    assert old.limits == Limits(0, 0)
    call_command("rotate_api_key", made["key"].split("_")[1], "--overlap", "12h", "--json")
    assert authenticate(json.loads(capsys.readouterr().out)["key"]) == old
    for named in (made["id"], str(uuid7()), "nothing"):
        with pytest.raises(CommandError) as refused:
            call_command("rotate_api_key", named)
        assert refused.value.returncode == 2


def test_busy_keys_cost_one_query_a_moment(django_assert_num_queries: Any, store: Redis) -> None:
    _, text = create_key("bot", ["admin"])
    with django_assert_num_queries(2):
        for _ in range(20):
            authenticate(text)
    assert services.CACHE_S + WATCH_S < 1  # to the end of a revoked key's sockets
