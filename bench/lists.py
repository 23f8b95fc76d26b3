"""Every list and page over a million signals and two million decisions, in a database of its own: `python -m bench --lists`.

Each address is asked for as a person or a program would, through all of Django, warm, the best of three; beside it stands the
dearest statement it made.
"""

import argparse
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bench.figures import figure
from bench.ground import ground

AIM_MS = 150
DAYS = 30
PAGES = (
    "/feed",
    "/feed?symbol=BTC",
    "/feed?kind=verdict&model=left",
    "/models?span=24h",
    "/models?span=7d",
    "/models?span=30d",
    "/system",
)
REST = (
    "events?",
    "events?symbol=BTC",
    "events?symbol=KPEPE",
    "events?source=desk_7",
    "events?status=rejected",
    "events?status=failed",
    "events?event_type=CLOSE_SIGNAL",
    "events?symbol=ETH&status=dlq",
    "events?source=desk_7&status=rejected&symbol=AVAX",
    "decisions?",
    "decisions?model=left",
    "decisions?status=timeout",
    "decisions?model=left&status=timeout",
    "decisions?status=refused",
    "decisions?min_confidence=0.99",
    "decisions?symbol=BTC",
    "decisions?symbol=NONE",
    "decisions?decision=TIGHTEN_STOP",
    "verdicts?",
    "verdicts?model=left&status=timeout",
    "verdicts?model=left",
    "verdicts?symbol=SOL",
    "verdicts?decision=FOLLOW_ENTER",
    "dlq?",
    "dlq?status=open",
    "dlq?status=requeued",
    "dlq?resolved=false",
    "dlq?resolved=true",
    "dlq?stage=enrich&reason_code=timeout",
    "dlq?fingerprint=0000000000000007",
    "models?",
    "sources?",
    "decisions/stream?epoch=bench",
    "decisions/stream?epoch=bench&after_seq=500000&symbol=BTC",
    "queue/depth?",
)
# What the admin's lists are asked beside their first and their last page: by each filter's first values, by time, by a search.
WITHIN = ("15m", "24h", "30d")


def main() -> None:
    """Servers, schema, rows, figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.lists", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="signals")
    rows = parser.parse_args().rows
    with ground():
        # A database given with DATABASE_URL that has rows is measured as it is.
        if not apps.get_model("signals.Signal").objects.exists():
            fill(rows)
        _measure()


def fill(rows: int) -> None:
    """So many signals with all that hangs on them, and fresh statistics."""
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute((Path(__file__).with_name("rows.sql")).read_text(), {"signals": rows, "days": DAYS})
        cursor.execute("VACUUM ANALYZE")
    print(f"{rows} signals over {DAYS} days, written in {time.perf_counter() - began:.0f} s", flush=True)


def _measure() -> None:
    fold = import_module("console.rollup").fold
    began = time.perf_counter()
    fold()
    print(f"fold of all hours, once: {_since(began):.0f} ms", flush=True)
    person = Client(headers={"Host": "localhost"})
    person.force_login(get_user_model().objects.create_superuser(f"bench-{time.time_ns()}"))
    create_key = import_module("access.services").create_key
    _, text = create_key("reader", ["events:read", "decisions:read", "admin"])
    _, bound = create_key("two-desks", ["events:read", "decisions:read"], allowed_sources=["desk_7", "desk_8"])
    _judge("pages", [(person, path) for path in PAGES])
    _judge("REST", [(_program(text), path) for path in _rest(_program(text))])
    _judge("REST, two sources", [(_program(bound), f"/api/v1/{path}") for path in REST if not path.startswith(("dlq", "queue"))])
    _judge("admin", [(person, path) for path in _admin()])


def _judge(words: str, asked: list[tuple[Client, str]]) -> None:
    """Ask for each, print the slow ones, and the slowest beside the aim."""
    print(f"\n── {words} " + "─" * 40)
    times: dict[str, float] = {}
    for client, path in asked:
        shown = path.partition("cursor=")[0]
        shown += "cursor=…" if shown != path else ""
        times[shown], cpu = min(_taken(client, path) for _ in range(3))
        with CaptureQueriesContext(connection) as seen:
            client.get(path)
        dearest = max(seen.captured_queries, key=lambda query: float(query["time"]), default={"time": "0", "sql": ""})
        query_ms = 1000 * float(dearest["time"])
        print(
            f"{times[shown]:>7.0f} ms  own CPU {cpu:>5.0f}  dearest of {len(seen):>2} statements {query_ms:>5.0f}   {shown}",
            flush=True,
        )
        if query_ms > AIM_MS / 2:
            print(f"           {dearest['sql'][:900]}", flush=True)
    slowest = max(times, key=lambda path: times[path])
    figure(f"{words}: slowest of {len(times)}, `{slowest}`", times[slowest], "ms", AIM_MS)


def _taken(client: Client, path: str) -> tuple[float, float]:
    """Milliseconds on the wall, and of this process's CPU."""
    began, spent = time.perf_counter(), time.process_time()
    answer = client.get(path)
    taken = _since(began), (time.process_time() - spent) * 1000
    if answer.status_code != 200:
        print(f"           {answer.status_code} for {path}: {answer.content[:200]!r}", flush=True)
    return taken


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _program(text: str) -> Client:
    return Client(headers={"Host": "localhost", "X-API-Key": text})


def _rest(client: Client) -> Iterator[str]:
    """Each list's first page, and the one after it."""
    for path in REST:
        yield f"/api/v1/{path}"
        answer = client.get(f"/api/v1/{path}")
        if answer.status_code == 200 and (following := answer.json().get("next")):
            yield following.removeprefix("http://localhost")


def _admin() -> Iterator[str]:
    """The front page, and each list: plain, deep, by each filter, by a search that finds and one that does not."""
    yield "/admin/"
    for model in sorted(apps.get_models(), key=lambda one: one._meta.label_lower):
        if admin.site.is_registered(model):
            yield from _list(model, reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))


def _list(model: Any, address: str) -> Iterator[str]:
    shown: Any = admin.site.get_model_admin(model)
    yield address
    if model.objects.all()[:10_001].count() > 10_000:
        yield f"{address}?p=200"
    for one in shown.list_filter:
        yield from (f"{address}?{query}" for query in _filters(model, shown, one))
    if shown.searched:
        newest = model.objects.order_by(*shown.get_ordering(None) or ["pk"]).first()
        terms = [str(_value(newest, name)) for name in shown.searched] if newest else []
        yield from (f"{address}?q={term}" for term in [*terms, "01980000-0000-7000-8000-000000000000", "nothing"])


def _filters(model: Any, shown: Any, one: Any) -> list[str]:
    """A filter's first values as queries; for a column with choices every one of them."""
    if isinstance(one, str):
        field = model._meta.get_field(one)
        if field.choices:
            return [f"{one}__exact={value}" for value, _ in field.flatchoices if value]
        return [f"{one}__exact=1"] if field.get_internal_type() == "BooleanField" else []
    if one.parameter_name == "within":
        return [f"within={span}" for span in WITHIN]
    return [f"{one.parameter_name}={value}" for value, _ in one(None, {}, model, shown).lookup_choices[:2]]


def _value(row: Any, path: str) -> Any:
    for name in path.split("__"):
        row = getattr(row, name)
    return row


if __name__ == "__main__":
    main()
