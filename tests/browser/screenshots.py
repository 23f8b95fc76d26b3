"""`python -m tests.browser.screenshots`: every picture of the README and of docs/tour.md, from one run of a product of its own."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import ViewportSize, expect

from tests.browser.chromium import launched
from tests.browser.scene import ALERT, Scene, played
from tests.browser.visitor import Scheme, Visitor, visiting
from tests.stack import ROOT, running

FOLDER = ROOT / "docs" / "screenshots"
LARGEST = 300_000
WIDE: ViewportSize = {"width": 1440, "height": 900}
LOW: ViewportSize = {"width": 1440, "height": 620}
TALL: ViewportSize = {"width": 1440, "height": 1_560}
PHONE: ViewportSize = {"width": 390, "height": 844}
CHART = "[data-chart][data-state=drawn] canvas"

Act = Callable[[Visitor], None]


@dataclass(frozen=True)
class Picture:
    """A page as somebody sees it: where, once this selector is there, after having done that."""

    name: str
    path: str
    drawn: str = "body"
    act: Act | None = None
    size: ViewportSize | None = None
    scheme: Scheme = "light"


def pictures(scene: Scene) -> Iterator[Picture]:
    """In the order of the tour."""
    signal = f"/events/{scene.followed}"
    yield Picture("feed", "/feed", "#live[data-state=live]", lambda visitor: _told(visitor, scene.frames))
    yield Picture("signal", signal, CHART, size=TALL)
    yield Picture("signal-rejected", f"/events/{scene.rejected}")
    yield Picture("models", "/models", "[data-trend] canvas")
    yield Picture("system", "/system")
    yield Picture("playground", "/playground", act=_sent)
    yield Picture("admin-index", "/admin/", "#overview")
    yield Picture("admin-signals", "/admin/signals/signal/", "#result_list")
    yield Picture("admin-decision", f"/admin/evaluation/decision/?q={scene.followed}", "#result_list", _opened, TALL)
    yield Picture("admin-prompts", "/admin/evaluation/text/", "#result_list", size=LOW)
    yield Picture("admin-dead-letters", "/admin/audit/deadletter/", "#result_list", size=LOW)
    # Low: below stands a traceback, with the paths of whoever takes the picture.
    yield Picture("admin-dead-letter", f"/admin/audit/deadletter/{scene.letter}/change/", size=LOW)
    yield Picture("admin-retry", f"/admin/audit/deadletter/decide/?verb=requeue&ids={scene.letter}", "#decide", size=LOW)
    yield Picture("admin-keys", "/admin/access/apikey/", "#result_list", size=LOW)
    yield Picture("admin-model", "/admin/evaluation/evaluationmodel/chatgpt/change/", "[name=timeout_ms]")
    yield Picture("admin-hook", f"/admin/signals/hooksource/{scene.hook}/change/", "[name=body]", _tried)
    yield Picture("admin-audit", "/admin/admin/logentry/", "#result_list", size=LOW)
    yield Picture("api", "/api/docs/", ".opblock")
    yield Picture("feed-phone", "/feed", "#feed tbody tr", size=PHONE, scheme="dark")
    yield Picture("signal-phone", signal, CHART, size=PHONE, scheme="dark")


def main() -> int:
    """The exit code: 1 when a picture became too large for a page."""
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        launched() as browser,
        running(Path(directory) / "lens") as lens,
        visiting(browser, lens.facts["http"]) as visitor,
    ):
        visitor.log_in(lens.facts["admin"]["user"], lens.facts["admin"]["password"])
        for picture in pictures(played(lens, visitor)):
            taken(visitor, picture, FOLDER)
    sizes = {path.name: path.stat().st_size for path in sorted(FOLDER.iterdir())}
    print("\n".join(f"{name}: {size} bytes" for name, size in sizes.items()))  # noqa: T201
    return 0 if max(sizes.values()) < LARGEST else 1


def taken(visitor: Visitor, picture: Picture, folder: Path) -> None:
    """Once everything has been drawn, letters and icons included."""
    page = visitor.page
    page.emulate_media(color_scheme=picture.scheme)
    page.set_viewport_size(picture.size or WIDE)
    visitor.go(picture.path)
    page.wait_for_selector(picture.drawn)
    if picture.act:
        picture.act(visitor)
    page.evaluate("document.fonts.ready")
    page.screenshot(path=folder / f"{picture.name}.png", animations="disabled")


def _told(visitor: Visitor, frames: int) -> None:
    expect(visitor.page.locator("#feed tbody tr")).to_have_count(frames)


def _sent(visitor: Visitor) -> None:
    expect(visitor.page.locator("[name=entry_price]")).not_to_have_value("")
    visitor.page.click("text=Send signal")
    visitor.page.wait_for_selector(".head .state[data-status=published]")
    visitor.page.wait_for_selector(CHART)


def _opened(visitor: Visitor) -> None:
    visitor.page.locator("#result_list a[href*='/change/']").first.click()
    visitor.page.wait_for_url("**/change/**")


def _tried(visitor: Visitor) -> None:
    visitor.page.fill("[name=body]", ALERT)
    visitor.page.click("text=Show what it means")
    visitor.page.wait_for_url("**/try/")


if __name__ == "__main__":
    sys.exit(main())
