"""What people do in the admin: bring a dead letter back and say why, make a key, change a model."""

import httpx2
import pytest
from playwright.sync_api import expect

from tests.browser.visitor import HEIGHT, WIDTHS, Visitor
from tests.stack import Lens

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("published")]


def test_a_dead_letter_is_retried_with_a_note(visitor: Visitor, lens: Lens) -> None:
    event = lens.submit(feature_profile="no_such_profile")
    lens.settled([event])
    letter = lens.http.get("/api/v1/dlq", params={"event_id": event}).json()["results"][0]["id"]
    visitor.go(f"/admin/audit/deadletter/{letter}/change/")
    visitor.page.get_by_role("link", name="Retry").click()
    visitor.page.fill("[name=note]", "The profile is there now.")
    assert visitor.barriers() == []
    visitor.page.click(".lens-go")
    visitor.page.wait_for_url("**/admin/audit/deadletter/?**")
    found = lens.http.get("/api/v1/dlq", params={"event_id": event}).json()["results"]
    assert next(one for one in found if one["id"] == letter)["retry_count"] == 1
    visitor.go(f"/admin/audit/deadletter/{letter}/change/")
    expect(visitor.page.locator("body")).to_contain_text("The profile is there now.")
    visitor.content()


def test_a_key_is_made_shown_once_and_opens_the_door(visitor: Visitor, lens: Lens) -> None:
    visitor.go("/admin/access/apikey/add/")
    visitor.page.fill("[name=name]", "browser")
    visitor.page.check("[name=scopes][value='decisions:read']")
    visitor.page.click("[name=_save]")
    text = visitor.page.inner_text("#made-key")
    assert httpx2.get(lens.facts["http"] + "/api/v1/decisions", headers={"X-API-Key": text}).status_code == 200
    visitor.go("/admin/access/apikey/")
    assert text not in visitor.page.content()
    visitor.content()


def test_a_model_is_changed(visitor: Visitor, lens: Lens) -> None:
    visitor.go("/admin/evaluation/evaluationmodel/chatgpt/change/")
    visitor.page.fill("[name=timeout_ms]", "15000")
    visitor.page.click("[name=_save]")
    visitor.page.wait_for_url("**/admin/evaluation/evaluationmodel/")
    models = {model["name"]: model for model in lens.http.get("/api/v1/models").json()["results"]}
    assert models["chatgpt"]["timeout_ms"] == 15_000
    visitor.content()


def test_a_hook_is_made_and_a_message_tried(visitor: Visitor) -> None:
    visitor.go("/admin/signals/hooksource/add/")
    visitor.page.fill("[name=name]", "tv_browser")
    visitor.page.click("[name=_save]")
    assert "/api/v1/hooks/tradingview/" in visitor.page.inner_text("#hook-address")
    visitor.page.click("text=Go to the hook")
    visitor.page.fill("[name=body]", '{"ticker": "BTCUSDT.P", "action": "buy"}')
    visitor.page.click("text=Show what it means")
    expect(visitor.page.locator(".lens-decide").first).to_contain_text("It would be refused")
    visitor.page.set_viewport_size({"width": WIDTHS[1], "height": HEIGHT})
    assert visitor.overflow() == []
    assert visitor.barriers() == []
    visitor.content()
