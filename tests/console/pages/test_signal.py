"""The page of one signal: everything known about it, inert, with commands that survive hostile text."""

import json
import shlex
import subprocess
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from enrichment.models import Enrichment
from signals.models import Signal, Status
from tests.conftest import SignalFactory
from tests.publishing.conftest import conclude, judge, move

pytestmark = pytest.mark.django_db
Freeze = Callable[..., Enrichment]
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"


def page(client: Client, signal: Signal, part: str = "") -> str:
    answer = client.get(f"/events/{signal.pk}{part}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_signal_on_its_way_asks_again_and_a_finished_one_does_not(viewer: Client, make_signal: SignalFactory) -> None:
    signal = make_signal()
    assert "/live" in page(viewer, signal)
    finished = move(conclude(signal), Status.PUBLISHED)
    assert "/live" not in page(viewer, finished)


def test_models_that_have_yet_to_answer_are_named(viewer: Client, make_signal: SignalFactory) -> None:
    signal = move(make_signal(), Status.ENRICHED, expected=["chatgpt", "gemini"])
    judge(signal, "chatgpt")
    assert "gemini has not answered" in page(viewer, signal)


def test_a_rejection_is_told_with_its_reason(viewer: Client, make_signal: SignalFactory) -> None:
    rejection = {"code": "price_drift", "detail": "The price moved 300 bps."}
    signal = move(make_signal(), Status.REJECTED, rejection=rejection)
    assert "Rejected: price_drift." in page(viewer, signal)


def test_everything_stored_is_shown_inert(viewer: Client, make_signal: SignalFactory, enriched: Freeze) -> None:
    signal = make_signal(source=HOSTILE, symbol=HOSTILE[:32], metadata={HOSTILE: HOSTILE}, feature_profile=HOSTILE[:50])
    answer = {"reasons": [HOSTILE], "evidence_for": [{"code": HOSTILE, "field": HOSTILE, "value": HOSTILE}]}
    plans = {"entry_plan": {"type": HOSTILE}, "risk_plan": {"stop_method": HOSTILE}, "size_pct": 12}
    meta = {"model_name": HOSTILE, "latency_ms": 3, "tokens_in": HOSTILE, "cost_usd": HOSTILE}
    judge(signal, HOSTILE[:50], answer={**answer, **plans}, model_meta=meta, prompt_version=HOSTILE[:50])
    enriched(signal, payload=json.dumps({"text": HOSTILE}), quality_flags={"missing_data": [HOSTILE]})
    for part in ("", "/live"):
        shown = page(viewer, signal, part)
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert "{{7*7}}" in shown


def test_bars_and_levels_are_served_for_the_chart(viewer: Client, make_signal: SignalFactory, enriched: Freeze) -> None:
    signal = move(make_signal(), Status.ENRICHED, expected=["chatgpt"])
    judge(signal)
    enriched(signal)
    drawing: dict[str, Any] = viewer.get(f"/events/{signal.pk}/chart").json()
    assert (drawing["interval"], len(drawing["bars"]), drawing["side"], drawing["opens"]) == ("15m", 96, "long", True)
    levels = {level["name"]: Decimal(level["price"]) for level in drawing["levels"]}
    assert levels == {
        "entry": Decimal(60_000),
        "liquidation": Decimal(54_000),
        "price at judgement": Decimal("60010.5"),
        # two true ranges of 250 below the price
        "stop chatgpt": Decimal("59510.5"),
        "support": Decimal(59_000),
    }


@pytest.mark.parametrize(
    ("plan", "stop"),
    [
        ({"stop_method": "fixed", "stop_level": 59_000}, "59000"),
        ({"stop_method": "trailing", "trail_pct": 10}, "54009.45"),
        ({"stop_method": "atr", "atr_multiple": None}, None),
        (None, None),
    ],
)
def test_a_stop_is_drawn_where_the_plan_says_or_not_at_all(
    viewer: Client, make_signal: SignalFactory, enriched: Freeze, plan: dict[str, Any] | None, stop: str | None
) -> None:
    signal = make_signal()
    judge(signal, answer={"risk_plan": plan})
    enriched(signal)
    levels = viewer.get(f"/events/{signal.pk}/chart").json()["levels"]
    assert [level["price"] for level in levels if level["kind"] == "stop"] == ([] if stop is None else [stop])


def test_without_bars_there_is_no_chart_and_the_page_says_so(viewer: Client, make_signal: SignalFactory, enriched: Freeze) -> None:
    signal = make_signal()
    enriched(signal, series="")
    assert viewer.get(f"/events/{signal.pk}/chart").status_code == 404
    assert "No candles were kept" in page(viewer, signal)


def test_the_market_is_shown_in_numbers_with_what_it_cost_and_how_far_it_is_grounded(
    viewer: Client, make_signal: SignalFactory, enriched: Freeze
) -> None:
    signal = make_signal()
    judge(signal, "chatgpt", model_meta={"cost_usd": "0.0025"}, ungrounded_ratio=0.25)
    judge(signal, "claude", model_meta={"cost_usd": "0.0005"}, ungrounded_ratio=0.0)
    conclude(signal)
    enriched(signal)
    shown = page(viewer, signal)
    assert "cost $0.003 in all" in shown
    assert "25 % of the numbers cited do not stand in the payload" in shown
    assert "every number cited stands in the payload" in shown
    assert "<caption>Levels, 1h</caption>" in shown


def test_the_commands_are_safe_to_paste(viewer: Client, make_signal: SignalFactory) -> None:
    signal = make_signal(source="x'; touch /tmp/lens-was-here; '")
    command = viewer.get(f"/events/{signal.pk}").context["commands"]["send"]
    assert "touch" not in [word.strip("'\";") for word in shlex.split(command)]
    said = subprocess.run(
        ["bash", "-c", f'curl() {{ printf %s "${{@: -1}}"; }}; {command}'], capture_output=True, text=True, check=True
    )
    body = json.loads(said.stdout)
    assert body["source"] == signal.source
    assert body["ts_utc"].endswith("Z")


def test_an_unknown_signal_is_not_found(viewer: Client) -> None:
    assert viewer.get("/events/0199aaaa-0000-7000-8000-000000000000").status_code == 404
