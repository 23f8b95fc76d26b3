"""What a person does on the pages: sends a signal and watches it, switches the colours, gets along without a mouse, leaves."""

import pytest
from playwright.sync_api import expect

from tests.browser.visitor import WIDTHS, Visitor
from tests.stack import Lens

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("published")]


def test_a_signal_from_the_playground_is_watched_to_its_end(visitor: Visitor, lens: Lens) -> None:
    visitor.go("/playground")
    expect(visitor.page.locator("[name=entry_price]")).not_to_have_value("")
    visitor.page.click("text=Send signal")
    expect(visitor.page.locator(".head .state[data-status=published]")).to_be_visible()
    expect(visitor.page.locator("[data-chart][data-state=drawn] canvas").first).to_be_visible()
    page = visitor.page.get_by_text("This signal's own page")
    event_id = (page.get_attribute("href") or "").rpartition("/")[2]
    assert lens.event(event_id)["source"] == "playground"
    assert visitor.overflow() == []
    assert visitor.barriers() == []
    visitor.content()


def test_another_symbol_brings_its_price(visitor: Visitor) -> None:
    visitor.go("/playground")
    expect(visitor.page.locator("[name=entry_price]")).not_to_have_value("")
    before = visitor.page.input_value("[name=entry_price]")
    visitor.page.fill("[name=symbol]", "eth")
    visitor.page.keyboard.press("Tab")
    expect(visitor.page.locator("[name=entry_price]")).not_to_have_value(before)


def test_a_fault_is_shown_beside_its_field(visitor: Visitor) -> None:
    visitor.go("/playground")
    visitor.page.fill("[name=size]", "many")
    visitor.page.click("text=Send signal")
    expect(visitor.page.locator("#fault-size")).to_have_text("Send a number or a plain decimal string.")
    assert visitor.barriers() == []
    visitor.content()


def test_the_chosen_colours_stay(visitor: Visitor) -> None:
    visitor.page.emulate_media(color_scheme="light")
    visitor.go("/models")
    visitor.page.keyboard.press("t")
    visitor.go("/system")
    assert visitor.page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    visitor.page.click("#theme")
    assert visitor.page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"


def test_the_keyboard_is_enough(visitor: Visitor) -> None:
    visitor.go("/feed")
    visitor.page.keyboard.press("Tab")
    expect(visitor.page.locator(".skip")).to_be_focused()
    expect(visitor.page.locator(".skip")).to_be_in_viewport()
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.locator("#main")).to_be_focused()
    visitor.page.keyboard.press("?")
    expect(visitor.page.locator("#help")).to_be_visible()
    assert visitor.barriers() == []
    visitor.page.keyboard.press("Escape")
    visitor.page.keyboard.press("/")
    expect(visitor.page.locator("[name=symbol]")).to_be_focused()
    visitor.page.keyboard.press("g")
    expect(visitor.page.locator("[name=symbol]")).to_have_value("g")
    visitor.page.locator("#main").focus()
    visitor.page.keyboard.press("g")
    visitor.page.keyboard.press("m")
    expect(visitor.page.locator("h1")).to_have_text("Models")


def test_a_command_is_copied(visitor: Visitor, published: list[str]) -> None:
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.go(f"/events/{published[0]}")
    visitor.page.click("text=For a shell")
    visitor.page.locator("[data-copy]").first.click()
    expect(visitor.page.locator("[data-copy]").first).to_have_text("Copied")
    assert visitor.page.evaluate("navigator.clipboard.readText()").startswith("curl -s ")


def test_charts_follow_the_width(visitor: Visitor) -> None:
    visitor.go("/models")
    visitor.page.wait_for_selector("[data-trend] canvas")
    visitor.page.set_viewport_size({"width": WIDTHS[1], "height": 900})
    assert visitor.overflow() == []


def test_signing_out_ends_it(visitor: Visitor) -> None:
    visitor.page.context.clear_cookies()
    visitor.go("/admin/login/")
    assert visitor.page.goto(visitor.base + "/feed") is not None
    assert "/admin/login/" in visitor.page.url
