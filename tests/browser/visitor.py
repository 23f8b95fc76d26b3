"""A person at a browser, whose every complaint is kept: console errors, requests to elsewhere, failed ones, dialogs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
WIDTHS = (1440, 390)
HEIGHT = 900
GRAVE = {"serious", "critical"}
LONGEST_WAIT_MS = 15_000

_WIDER = """() => {
  const all = document.documentElement;
  if (all.scrollWidth <= all.clientWidth) return [];
  const out = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > all.clientWidth + 1);
  return out.slice(0, 5).map((one) => `${one.tagName.toLowerCase()}.${one.className}`).concat(`${all.scrollWidth} wide`);
}"""


class Visitor:
    """One page of one browser, and what was wrong with what it was shown."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.complaints: list[str] = []
        self._axe = Axe()
        page.set_default_timeout(LONGEST_WAIT_MS)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("request", self._asked)
        page.on("dialog", self._interrupted)

    def go(self, path: str, status: int = 200) -> None:
        """Open an address of ours."""
        answer = self.page.goto(self.base + path, wait_until="load")
        assert answer is not None
        assert answer.status == status, f"{path}: {answer.status}"

    def log_in(self, user: str, password: str, path: str = "/feed") -> None:
        """From the page that was wanted through the login and back to it."""
        self.page.goto(self.base + path)
        self.page.fill("[name=username]", user)
        self.page.fill("[name=password]", password)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(lambda url: urlsplit(url).path == path)

    def overflow(self) -> list[str]:
        """What makes the page wider than the window; nothing when it is not."""
        found: list[str] = self.page.evaluate(_WIDER)
        return found

    def barriers(self) -> list[str]:
        """Serious and critical findings of axe-core, one line each."""
        found: list[dict[str, Any]] = self._axe.run(self.page).response["violations"]
        return [f"{one['id']}: {node['html'][:160]}" for one in found if one["impact"] in GRAVE for node in one["nodes"][:3]]

    def examine(self, path: str, tolerated: frozenset[str] = frozenset()) -> None:
        """The page in each scheme and width: fits, can be used by everybody, asks nobody else, complains of nothing.

        `tolerated` names the rules of axe-core that a theme which is not ours breaks.
        """
        for scheme in SCHEMES:
            self.page.emulate_media(color_scheme=scheme)
            self.page.set_viewport_size({"width": WIDTHS[0], "height": HEIGHT})
            self.go(path)
            for width in WIDTHS:
                self.page.set_viewport_size({"width": width, "height": HEIGHT})
                where = f"{path} {scheme} {width}"
                assert self.overflow() == [], where
                # The colours are the same at every width and the content is the same in every scheme: each once is enough.
                if (scheme, width) in {("light", WIDTHS[0]), ("dark", WIDTHS[1])}:
                    assert [one for one in self.barriers() if one.partition(":")[0] not in tolerated] == [], where
        self.content()

    def content(self) -> None:
        """Nothing has been complained of."""
        complaints, self.complaints = self.complaints, []
        assert complaints == []

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        there = urlsplit(request.url)
        if there.scheme not in {"data", "blob"} and there.hostname != urlsplit(self.base).hostname:
            self.complaints.append(f"asked elsewhere: {request.url}")

    def _interrupted(self, dialog: Dialog) -> None:
        if dialog.type != "beforeunload":
            self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@contextmanager
def visiting(browser: Browser, base: str, **context: Any) -> Iterator[Visitor]:
    """A visitor with cookies of its own, or with those in `storage_state`."""
    opened = browser.new_context(**context)
    try:
        yield Visitor(opened.new_page(), base)
    finally:
        opened.close()
