"""The whole way of a TradingView alert: a hook made in the admin, a plain-text post without a header of ours, a verdict."""

import re
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests.stack import Lens, running

pytestmark = pytest.mark.stack


def logged_in(lens: Lens) -> httpx2.Client:
    browser = httpx2.Client(base_url=lens.facts["http"], follow_redirects=True, headers={"Referer": lens.facts["http"]}, timeout=20)
    credentials = {"username": lens.facts["admin"]["user"], "password": lens.facts["admin"]["password"]}
    browser.post("/admin/login/?next=/admin/", data={**credentials, **csrf(browser, "/admin/login/")})
    return browser


def csrf(browser: httpx2.Client, page: str) -> dict[str, str]:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get(page).text)
    assert found is not None
    return {"csrfmiddlewaretoken": found[1]}


def made_hook(browser: httpx2.Client) -> str:
    """The secret address, read where a person reads it: off the page that shows it once."""
    page = "/admin/signals/hooksource/add/"
    fields = {"name": "desk_tv", "kind": "tradingview", "enabled": "on", "mapping": "{}", "reading": "position"}
    answer = browser.post(page, data={**fields, "liquidation_distance_pct": "10", "expected_every_s": "900", **csrf(browser, page)})
    found = re.search(r'<pre id="hook-address">([^<]+)</pre>', answer.text)
    assert found is not None, answer.text
    return found[1]


def test_a_tradingview_alert_ends_published(tmp_path: Path) -> None:
    with running(tmp_path) as lens, closing(logged_in(lens)) as browser, lens.listen() as listener:
        address = made_hook(browser)
        sample = lens.body()
        text = (
            f'{{"ticker": "BTCUSDT.P", "action": "buy", "market_position": "long", "prev_market_position": "flat",'
            f' "price": {sample["entry_price"]}, "contracts": "0.0123456789", "timenow": "{sample["ts_utc"]}"}}'
        )
        answers = [
            httpx2.post(address, content=text, headers={"Content-Type": "text/plain; charset=utf-8"}, timeout=30) for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [201, 200], answers[0].text
        event_id = answers[0].json()["event_id"]
        listener.until_verdicts([event_id])
        event = lens.settled([event_id])[event_id]
        assert (event["status"], event["source"], event["symbol"], event["size"]) == ("published", "desk_tv", "BTC", "0.01234567")
        refused = httpx2.post(address, content="buy now", headers={"Content-Type": "text/plain"}, timeout=30)
        assert (refused.status_code, refused.json()["code"]) == (400, "validation_error")
        assert "buy now" in browser.get("/admin/signals/rejectedinput/1/change/").text
        assert "lens_sources_silent 0.0" in httpx2.get(lens.facts["http"] + "/metrics", timeout=30).text
        assert httpx2.post(address + "x", content=text, timeout=30).status_code == 404
    secret = address.rsplit("_", 1)[1]
    logs = [path for path in tmp_path.rglob("*") if path.suffix in {".log", ".jsonl"} and path.is_file()]
    assert logs
    assert [str(path) for path in logs if secret in path.read_text(errors="replace")] == []
