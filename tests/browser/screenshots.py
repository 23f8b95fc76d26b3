"""`python -m tests.browser.screenshots`: the README's pictures, from a stack of its own with some signals in it."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.chromium import launched
from tests.browser.visitor import visiting
from tests.stack import ROOT, Lens, running

FOLDER = ROOT / "docs" / "screenshots"
SIZE: ViewportSize = {"width": 1280, "height": 860}
TALL: ViewportSize = {"width": 1280, "height": 1080}
SIGNALS = [("BTC", "long"), ("ETH", "short"), ("SOL", "long"), ("BTC", "short"), ("ETH", "long"), ("SOL", "short")]
LARGEST = 300_000


def main() -> int:
    """The exit code: 1 when a picture became too large for a README."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, launched() as browser, running(Path(directory) / "lens") as lens:
        events = _signals(lens)
        with visiting(browser, lens.facts["http"], viewport=SIZE, color_scheme="dark") as visitor:
            visitor.log_in(lens.facts["admin"]["user"], lens.facts["admin"]["password"])
            visitor.page.wait_for_selector("#live[data-state=live]")
            expect(visitor.page.locator("#feed tbody tr")).to_have_count(3 * len(events))
            _kept(visitor.page, "feed")
            visitor.page.emulate_media(color_scheme="light")
            visitor.page.set_viewport_size(TALL)
            visitor.go(f"/events/{_agreed(lens, events)}")
            visitor.page.wait_for_selector("[data-chart][data-state=drawn] canvas")
            _kept(visitor.page, "signal")
    sizes = {path.name: path.stat().st_size for path in sorted(FOLDER.iterdir())}
    print("\n".join(f"{name}: {size} bytes" for name, size in sizes.items()))  # noqa: T201
    return 0 if max(sizes.values()) < LARGEST else 1


def _signals(lens: Lens) -> list[str]:
    """Signals of several desks, each settled before the next is sent."""
    events = []
    for place, (symbol, direction) in enumerate(SIGNALS * 2):
        body = lens.body(symbol=symbol, source=f"desk_{place % 4 + 1}", signal_direction=direction)
        if direction == "short":
            body["liquidation_price"] = f"{float(body['entry_price']) * 1.1:.4f}"
        events.append(str(lens.post(body).json()["event_id"]))
        lens.settled(events[-1:])
    return events


def _agreed(lens: Lens, events: list[str]) -> str:
    """A signal that was followed, for it has stops to show; the last one when none was."""
    followed = [event for event in events if (lens.event(event)["verdict"] or {}).get("decision") == "FOLLOW_ENTER"]
    return (followed or events)[-1]


def _kept(page: Page, name: str) -> None:
    """Without the row of the pointer, once everything has been drawn."""
    page.wait_for_timeout(2_000)
    page.screenshot(path=FOLDER / f"{name}.png", animations="disabled")


if __name__ == "__main__":
    sys.exit(main())
