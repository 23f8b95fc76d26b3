"""A morning at a desk in small, for the pictures: made by the product itself, its people and what its simulators are told to do."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.browser.visitor import Visitor
from tests.stack import Lens

SIGNALS = [("BTC", "long"), ("ETH", "short"), ("SOL", "long"), ("BTC", "short"), ("ETH", "long"), ("SOL", "short")]
# Listed, and not asked for by anybody else here: no answer of the venue about them is kept anywhere.
MOVED, REFUSED = "DOGE", "AVAX"
ALERT = """{
  "ticker": "BINANCE:BTCUSDT.P",
  "action": "buy",
  "market_position": "long",
  "prev_market_position": "flat",
  "price": "62150.5",
  "contracts": "0.25",
  "order_id": "breakout long",
  "timenow": "2026-01-05T09:00:00Z"
}"""


@dataclass(frozen=True)
class Scene:
    """Where to look: addresses' parts."""

    followed: str
    rejected: str
    letter: str
    hook: str
    frames: int


def played(lens: Lens, visitor: Visitor) -> Scene:
    """The morning, from its first signal to what people did about what went wrong."""
    events = _signals(lens)
    followed = _followed(lens, events)
    _answer(lens, followed)
    buried = _buried(lens)
    letters = [_letter(lens, event) for event in buried]
    _put_right(visitor, letters[0])
    lens.settled(buried[:1])
    _key(visitor)
    return Scene(followed, _rejected(lens), letters[1], _hook(visitor), lens.head()["head_seq"])


def _signals(lens: Lens) -> list[str]:
    """Signals of several desks, each settled before the next is sent; on one of them a model's answer is unusable."""
    events = []
    for place, (symbol, direction) in enumerate(SIGNALS * 2):
        if place == len(SIGNALS):
            lens.script("llm", "answers", [{"kind": "schema_error", "match": {"model": "gpt-sandbox"}, "times": 2}])
        events.append(lens.submit(**_fields(lens, symbol, direction), source=f"desk_{place % 4 + 1}", feature_profile="full_v1"))
        lens.settled(events[-1:])
    lens.unscript("llm", "answers")
    return events


def _fields(lens: Lens, symbol: str, direction: str) -> dict[str, Any]:
    body = lens.body(symbol=symbol, signal_direction=direction)
    if direction == "short":
        body["liquidation_price"] = str((Decimal(body["entry_price"]) * Decimal("1.1")).quantize(Decimal("0.0001")))
    del body["source"]
    return body


def _followed(lens: Lens, events: list[str]) -> str:
    """A signal that was followed, for it has stops to show; the last one when none was."""
    found = [event for event in events if (lens.event(event)["verdict"] or {}).get("decision") == "FOLLOW_ENTER"]
    return (found or events)[-1]


def _answer(lens: Lens, event: str) -> None:
    """An executor that keeps its place in the stream says what it did."""
    with lens.listen(consumer="executor_a", since={"epoch": lens.head()["epoch"], "seq": 0}) as listener:
        decision = lens.event(event)["decisions"][-1]
        listener.until(lambda frame: frame.get("event_id") == event and frame["type"] == "verdict")
        receipt = {"op": "receipt", "decision_id": decision["id"], "state": "acted", "client_order_id": "a-20260105-17"}
        listener.say(receipt)
        listener.say({"op": "ack", "seq": lens.head()["head_seq"]})
        listener.say({"op": "ping", "id": 1})
        listener.until(lambda frame: frame["type"] == "pong")


def _rejected(lens: Lens) -> str:
    """The price ran away between the desk's decision and its signal."""
    body = lens.body(symbol=MOVED)
    lens.script("exchange", "market", {"coin": MOVED, "shift_bps": 450})
    event = lens.submit(**body)
    lens.settled([event])
    return event


def _buried(lens: Lens) -> list[str]:
    """A venue that refuses to answer about one coin, and a desk that names a profile there is not."""
    lens.script("exchange", "faults", [{"kind": "status", "status": 403, "match": {"endpoint": "l2Book", "coin": REFUSED}}])
    events = [lens.submit(symbol=REFUSED, source="desk_2"), lens.submit(symbol=REFUSED, source="desk_3")]
    lens.settled(events)
    lens.unscript("exchange", "faults")
    events.append(lens.submit(source="desk_4", feature_profile="trend_follow_v9"))
    lens.settled(events)
    return events


def _letter(lens: Lens, event: str) -> str:
    return str(lens.http.get("/api/v1/dlq", params={"event_id": event}).json()["results"][0]["id"])


def _put_right(visitor: Visitor, letter: str) -> None:
    visitor.go(f"/admin/audit/deadletter/{letter}/change/")
    visitor.page.get_by_role("link", name="Retry").click()
    visitor.page.fill("[name=note]", "The venue answers again.")
    visitor.page.click(".lens-go")
    visitor.page.wait_for_url("**/admin/audit/deadletter/?**")


def _key(visitor: Visitor) -> None:
    visitor.go("/admin/access/apikey/add/")
    visitor.page.fill("[name=name]", "executor_a")
    visitor.page.check("[name=scopes][value='decisions:read']")
    visitor.page.click("[name=_save]")
    visitor.page.wait_for_selector("#made-key")


def _hook(visitor: Visitor) -> str:
    """A TradingView alert's way in; its id."""
    visitor.go("/admin/signals/hooksource/add/")
    visitor.page.fill("[name=name]", "tv_breakout")
    visitor.page.fill("[name=liquidation_distance_pct]", "10")
    visitor.page.click("[name=_save]")
    visitor.page.wait_for_selector("#hook-address")
    link = visitor.page.get_by_role("link", name="Go to the hook").get_attribute("href") or ""
    return link.split("/")[-3]
