"""The admin as its own index names it: every list, and of every list the first row's page."""

import re
from collections.abc import Callable

from tests.browser.visitor import Visitor

_LIST = re.compile(r"^/admin/[a-z_]+/[a-z_]+/$")


def lists_of_admin(visitor: Visitor) -> list[str]:
    """The address of every list a person is offered."""
    visitor.go("/admin/")
    # Some are linked to with a filter, as the dead letters are: the list is the address without it.
    found = visitor.page.eval_on_selector_all("a[href]", "links => links.map((link) => new URL(link.href).pathname)")
    return sorted({href for href in found if _LIST.match(href)})


def walk(visitor: Visitor, visit: Callable[[str], None]) -> None:
    """`visit` the index, every list and one page of each."""
    lists = lists_of_admin(visitor)
    visit("/admin/")
    for address in lists:
        visit(address)
        page = _first_row(visitor, address)
        if page is not None:
            visit(page)


def _first_row(visitor: Visitor, address: str) -> str | None:
    """The page of the first row of the list that is being looked at; None for an empty one."""
    rows = visitor.page.eval_on_selector_all(
        "#result_list a[href*='/change/']", "links => links.map((link) => new URL(link.href).pathname)"
    )
    return next((path for path in rows if path.startswith(address)), None)
