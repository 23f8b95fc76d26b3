"""The admin in a browser: every list and one page of each, found from its index, and what people do there."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.admin import lists_of_admin, walk
from tests.browser.visitor import Visitor

# Django's selector of permissions, and its sentence about passwords, inside a theme that is not ours either.
TOLERATED = {"/admin/auth/": frozenset({"aria-prohibited-attr", "color-contrast", "link-in-text-block"})}
pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("published")]


def test_the_index_offers_the_lists(visitor: Visitor) -> None:
    wanted = {"/admin/signals/signal/", "/admin/evaluation/decision/", "/admin/access/apikey/", "/admin/audit/deadletter/"}
    assert wanted <= set(lists_of_admin(visitor))


def test_every_list_and_a_page_of_each(visitor: Visitor) -> None:
    walk(visitor, lambda path: visitor.examine(path, TOLERATED.get(path[: len("/admin/auth/")], frozenset())))


def test_the_admin_is_dark_from_the_start_where_dark_is_wished_for(visitor: Visitor) -> None:
    visitor.page.emulate_media(color_scheme="dark")
    visitor.go("/admin/")
    expect(visitor.page.locator("html")).to_have_class(re.compile(r"\bdark\b"))
