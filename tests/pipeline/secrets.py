"""Where a secret could come to light: all that a running stack stores, writes, shows or sends, by the place it stands in."""

import json
import re
from collections.abc import Iterator
from contextlib import closing, suppress
from urllib.parse import urlsplit

import httpx2
import psycopg
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.signals.test_hooks_stack import csrf, logged_in, made_hook
from tests.stack import Lens

_TABLES = "SELECT relname FROM pg_stat_user_tables ORDER BY relname"
_CHANGE = re.compile(r'href="(/admin/[^"?#]+/change/)')
_PAGES = (
    "/",
    "/admin/",
    "/admin/evaluation/decision/",
    "/admin/evaluation/evaluationmodel/",
    "/admin/evaluation/breaker/",
    "/admin/audit/deadletter/",
    "/admin/access/apikey/",
    "/admin/signals/hooksource/",
    "/admin/signals/rejectedinput/",
    "/admin/publishing/webhookendpoint/",
)


def plant(lens: Lens, wrong: str) -> set[str]:
    """What this stack keeps secret; some of it made here, and `wrong` tried at every door that takes a secret."""
    key = lens.http.post("/api/v1/keys", json={"name": "canary", "scopes": ["signals:write", "events:read"]}).json()["key"]
    with closing(logged_in(lens)) as browser:
        address, signing = made_hook(browser), _made_endpoint(browser)
    for tried in (key, f"lens_canary00_{wrong}"):
        with httpx2.Client(base_url=lens.facts["http"], timeout=20) as caller:
            caller.get("/api/v1/events", params={"api_key": tried}, headers={"X-API-Key": tried})
            caller.post("/api/v1/signals", json={"source": "x"}, headers={"Authorization": f"Bearer {tried}"})
        header = {"X-API-Key": tried}
        with suppress(ConnectionClosed), connect(lens.facts["ws"][0] + "/ws/decisions", additional_headers=header) as socket:
            socket.recv(timeout=20)
    for url in (address, f"{lens.facts['http']}/hooks/tradingview/{wrong}", f"{lens.facts['http']}/hooks/nothing/{wrong}"):
        assert httpx2.post(url, content=b"buy now", timeout=20).status_code in {400, 401, 404}
    database = urlsplit(lens.facts["database"]).password
    admin = lens.facts["admin"]["password"]
    found = {_tail(key), _tail(lens.facts["api_key"]), _tail(address), signing, database, lens.facts["secret_key"], admin, wrong}
    assert all(found)
    return {str(text) for text in found}


def _tail(text: str) -> str:
    """The part of a key or address that is not its public prefix."""
    return text.rpartition("/")[2].split("_", 2)[2]


def _made_endpoint(browser: httpx2.Client) -> str:
    """The signing secret of a new webhook endpoint, read off the page that shows it once."""
    page = "/admin/publishing/webhookendpoint/add/"
    fields = {"name": "canary", "url": "http://127.0.0.1:9/x", "filter": "{}", "max_in_flight": "4"}
    answer = browser.post(page, data={**fields, **csrf(browser, page)})
    found = re.search(r"whsec_([\w+/=-]+)", answer.text)
    assert found is not None, answer.text
    return found[1]


def places(lens: Lens, event_ids: list[str]) -> Iterator[tuple[str, str]]:
    """Tables, log files, metrics, answers, frames, prompts, pages."""
    with psycopg.connect(lens.facts["database"]) as database:
        for (table,) in database.execute(_TABLES).fetchall():
            yield f"table {table}", str(database.execute(f"SELECT array_agg(t::text) FROM {table} t").fetchall())  # noqa: S608
    for file in (lens.stack.plan.data_dir / "log").rglob("*"):
        if file.is_file():
            yield f"log {file.name}", file.read_text(errors="replace")
    for path in (
        "/metrics",
        "/ready",
        *(f"/api/v1/{name}" for name in ("models", "sources", "decisions", "verdicts", "dlq", "keys")),
    ):
        yield path, lens.http.get(path).text
    for event_id in event_ids:
        yield f"event {event_id}", lens.http.get(f"/api/v1/events/{event_id}", params={"expand": "payload"}).text
    yield "frames", json.dumps(lens.frames())
    yield "prompts", lens.world.get(lens.facts["simulators"]["llm"] + "/_control/calls/last").text
    yield from _pages(lens, [f"/events/{event_id}" for event_id in event_ids[:1]])


def _pages(lens: Lens, more: list[str]) -> Iterator[tuple[str, str]]:
    """As an administrator sees them, and the newest few of what each list leads to."""
    with closing(logged_in(lens)) as browser:
        for path in (*_PAGES, *more):
            text = browser.get(path).text
            yield path, text
            for link in list(dict.fromkeys(_CHANGE.findall(text)))[: 6 if "decision" in path else 1]:
                yield link, browser.get(link).text
