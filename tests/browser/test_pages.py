"""Every page for people: fits wide and narrow, light and dark, can be used by everybody, and asks nobody else for anything."""

import pytest

from tests.browser.visitor import Visitor
from tests.stack import Lens

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("published")]


@pytest.mark.parametrize(
    "path", ["/feed", "/feed?symbol=BTC&kind=verdict", "/feed?symbol=DOGE", "/models?span=7d", "/system", "/playground"]
)
def test_a_page(visitor: Visitor, path: str) -> None:
    visitor.examine(path)


def test_the_page_of_each_kind_of_signal(visitor: Visitor, published: list[str]) -> None:
    visitor.examine(f"/events/{published[0]}")
    visitor.page.wait_for_selector("[data-chart][data-state=drawn] canvas")
    visitor.examine(f"/events/{published[-1]}")


@pytest.mark.parametrize(("path", "drawn"), [("/api/docs/", ".opblock"), ("/api/redoc/", "h1")])
def test_the_interfaces_description_asks_nobody_else(visitor: Visitor, path: str, drawn: str) -> None:
    visitor.go(path)
    visitor.page.wait_for_selector(drawn)
    visitor.page.wait_for_load_state("networkidle")
    visitor.content()


def test_the_login(browser: object, lens: Lens, visitor: Visitor) -> None:
    visitor.page.context.clear_cookies()
    visitor.examine("/admin/login/?next=/feed")
    visitor.log_in(lens.facts["admin"]["user"], "not the password", "/admin/login/")
    visitor.page.get_by_text("Please enter the correct username and password").wait_for()


def test_every_page_says_sandbox(visitor: Visitor, published: list[str]) -> None:
    for path in ("/feed", "/models", "/system", "/playground", f"/events/{published[0]}"):
        visitor.go(path)
        assert visitor.page.inner_text(".market") == "sandbox"
        assert "sandbox" in visitor.page.title()
