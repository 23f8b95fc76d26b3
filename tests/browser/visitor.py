"""A person at a browser, whose every complaint is kept: console errors, requests to elsewhere, failed ones, dialogs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, expect

Scheme = Literal["light", "dark"]
WIDTHS = (1440, 390)
HEIGHT = 900
GRAVE = {"serious", "critical"}
LONGEST_WAIT_MS = 60_000

expect.set_options(timeout=LONGEST_WAIT_MS)

# What follows the window's width by a script of its own is given the time to.
_WIDER = """async () => {
  const all = document.documentElement;
  const ends = performance.now() + 5_000;
  while (all.scrollWidth > all.clientWidth && performance.now() < ends) await new Promise((done) => setTimeout(done, 50));
  if (all.scrollWidth <= all.clientWidth) return [];
  const out = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > all.clientWidth + 1);
  return out.slice(0, 5).map((one) => `${one.tagName.toLowerCase()}.${one.className}`).concat(`${all.scrollWidth} wide`);
}"""
# Colours are read where they come to rest. A sheet made by a script is none of the page's own, so no policy is in its way.
_STILL = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("*, *::before, *::after { transition: none !important; animation: none !important; }");
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}"""
# The admin's theme asks for the scheme when a page is opened, and afterwards has a switch of its own; our pages just follow.
_SWITCH = """async (scheme) => {
  const theme = window.Alpine?.$data(document.documentElement);
  if (!theme?.switchTheme) return;
  theme.switchTheme(scheme);
  await new Promise((done) => window.Alpine.nextTick(done));
}"""
_BARRIERS = "() => axe.run({ resultTypes: ['violations'], preload: false }).then((found) => found.violations)"


class Visitor:
    """One page of one browser, and what was wrong with what it was shown."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.complaints: list[str] = []
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
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE_SCRIPT)
        found: list[dict[str, Any]] = self.page.evaluate(_BARRIERS)
        return [f"{one['id']}: {node['html'][:160]}" for one in found if one["impact"] in GRAVE for node in one["nodes"][:3]]

    def examine(self, path: str, tolerated: frozenset[str] = frozenset()) -> None:
        """The page in each scheme and width: fits, can be used by everybody, asks nobody else, complains of nothing.

        It is opened once, wide and light, then made narrow, then dark, then wide again. The colours are the same at every width and
        the content is the same in every scheme, so what is narrow and dark is all that must be looked at for barriers again.
        `tolerated` names the rules of axe-core that a theme which is not ours breaks.
        """
        self.page.emulate_media(color_scheme="light")
        self._resize(WIDTHS[0])
        self.go(path)
        self.page.evaluate(_STILL)
        self._fits(path, tolerated)
        self._resize(WIDTHS[1])
        assert self.overflow() == [], f"{path} {WIDTHS[1]}"
        self.page.emulate_media(color_scheme="dark")
        self.page.evaluate(_SWITCH, "dark")
        self._fits(f"{path} dark {WIDTHS[1]}", tolerated)
        self._resize(WIDTHS[0])
        assert self.overflow() == [], f"{path} dark"
        self.page.evaluate(_SWITCH, "auto")
        self.content()

    def _resize(self, width: int) -> None:
        self.page.set_viewport_size({"width": width, "height": HEIGHT})

    def _fits(self, where: str, tolerated: frozenset[str]) -> None:
        assert self.overflow() == [], where
        assert [one for one in self.barriers() if one.partition(":")[0] not in tolerated] == [], where

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
