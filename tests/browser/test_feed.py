"""The feed is live, says so, says when it is not, and misses and repeats nothing when its connection breaks."""

import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.visitor import Visitor
from tests.stack import Lens

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("published")]


@pytest.fixture
def feed(visitor: Visitor) -> Visitor:
    visitor.go("/feed")
    expect(visitor.page.locator("#live")).to_have_attribute("data-state", "live")
    expect(visitor.page.locator("#feed tbody tr")).not_to_have_count(0)
    return visitor


@pytest.fixture
def frozen(lens: Lens) -> Iterator[None]:
    """The socket processes stand still."""
    names = [f"ws-{k}" for k in range(len(lens.facts["ws"]))]
    for name in names:
        lens.stack.kill(name, signal.SIGSTOP)
    yield
    for name in names:
        lens.stack.kill(name, signal.SIGCONT)


def shown(feed: Visitor) -> list[int]:
    """The seqs in the table, as they stand."""
    return [int(text) for text in feed.page.locator("#feed tbody tr td:last-child").all_inner_texts()]


def test_what_was_published_is_there_newest_first_and_what_comes_is_added(feed: Visitor, lens: Lens) -> None:
    before = shown(feed)
    assert before == sorted(before, reverse=True)
    lens.settled([lens.submit()])
    head = lens.frames()[-1]["seq"]
    expect(feed.page.locator("#live")).to_have_text(f"live · seq {head}")
    expect(feed.page.locator("#feed tbody tr").first.locator("td").last).to_have_text(str(head))
    assert shown(feed)[len(shown(feed)) - len(before) :] == before
    feed.content()


def test_a_filter_that_finds_nothing_says_so(visitor: Visitor) -> None:
    visitor.go("/feed?symbol=DOGE")
    expect(visitor.page.locator("#empty")).to_be_visible()


def test_a_signals_name_leads_to_its_page(feed: Visitor, published: list[str]) -> None:
    link = feed.page.locator(f'#feed a[href="/events/{published[0]}"]').first
    link.click()
    expect(feed.page.locator("h1")).to_contain_text("BTC")


def test_silence_turns_the_chip_red_and_a_heartbeat_turns_it_back(
    feed: Visitor, lens: Lens, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("frozen")
    expect(feed.page.locator("#live")).to_have_attribute("data-state", "stale")
    assert feed.page.locator("#live").inner_text().startswith("stale")


def test_after_a_broken_connection_nothing_is_missed_or_doubled(feed: Visitor, lens: Lens) -> None:
    for name in ("ws-0", "ws-1"):
        lens.stack.kill(name)
    expect(feed.page.locator("#live")).not_to_have_attribute("data-state", "live")
    lens.settled([lens.submit(), lens.submit()])
    head = lens.frames()[-1]["seq"]
    expect(feed.page.locator("#live")).to_have_text(f"live · seq {head}", timeout=90_000)
    expect(feed.page.locator("#feed tbody tr").first.locator("td").last).to_have_text(str(head))
    seqs = shown(feed)
    assert seqs == list(range(head, head - len(seqs), -1))


def test_a_paused_feed_holds_what_comes_and_shows_it_afterwards(feed: Visitor, lens: Lens) -> None:
    before = len(shown(feed))
    feed.page.keyboard.press("p")
    lens.settled([lens.submit()])
    expect(feed.page.locator("#pause")).to_have_text("Resume (3)")
    assert len(shown(feed)) == before
    feed.page.keyboard.press("p")
    expect(feed.page.locator("#feed tbody tr")).to_have_count(before + 3)


def test_the_filter_holds_for_what_comes_too(visitor: Visitor, lens: Lens) -> None:
    visitor.go("/feed?symbol=eth-perp&kind=verdict")
    expect(visitor.page.locator("#live")).to_have_attribute("data-state", "live")
    lens.settled([lens.submit(), lens.submit(symbol="ETH")])
    expect(visitor.page.locator("#feed tbody tr").first).to_contain_text("ETH")
    texts = visitor.page.locator("#feed tbody tr").all_inner_texts()
    assert all("ETH" in text and "verdict" in text for text in texts)
    visitor.content()
