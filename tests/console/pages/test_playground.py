"""The playground takes a signal in as the gateway does: same checks, same limits, same path."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from access.throttling import limiter
from console.pages import playground
from signals.models import Signal

pytestmark = pytest.mark.django_db
GIVEN = {
    "symbol": "btc-perp",
    "signal_direction": "long",
    "entry_price": "60000",
    "size": "0.1",
    "liquidation_price": "54000",
    "source": "playground",
    "feature_profile": "",
}


@pytest.fixture(autouse=True)
def nowhere(settings: Settings) -> Iterator[None]:
    """A venue that nobody answers for."""
    settings.LENS = settings.LENS.model_copy(update={"hyperliquid_url": "http://127.0.0.1:1"})
    playground._venue.cache_clear()
    yield
    playground._venue.cache_clear()


def send(client: Client, **changes: Any) -> str:
    return client.post("/playground", {**GIVEN, **changes}).content.decode()


def test_a_signal_is_taken_in_and_shown(operator: Client) -> None:
    answer = send(operator)
    signal = Signal.objects.get()
    assert (signal.symbol, signal.source, signal.feature_profile) == ("BTC", "playground", "trend_follow_v1")
    assert signal.caller.startswith("user:")
    assert f"signal-{signal.pk}" in answer


def test_a_close_needs_no_liquidation_price(operator: Client) -> None:
    send(operator, signal_direction="close_long", liquidation_price="")
    assert Signal.objects.get().event_type == "CLOSE_SIGNAL"


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("entry_price", "sixty", "Send a number or a plain decimal string."),
        ("symbol", "USD", ""),
        ("liquidation_price", "66000", "Must lie below entry_price."),
        ("source", "<b>", ""),
    ],
)
def test_a_fault_is_told_beside_its_field_and_nothing_stored(operator: Client, field: str, value: str, told: str) -> None:
    answer = send(operator, **{field: value})
    assert 'aria-invalid="true"' in answer
    assert told in answer
    assert "<b>" not in answer
    assert not Signal.objects.exists()


def test_the_senders_limit_holds_here_too(operator: Client, settings: Settings) -> None:
    settings.LENS = settings.LENS.model_copy(update={"rate_limit_burst": 1})
    limiter.cache_clear()
    send(operator)
    assert "notice bad" in send(operator)
    assert Signal.objects.count() == 1


def test_a_viewer_may_look_but_not_send(viewer: Client) -> None:
    page = viewer.get("/playground")
    assert "may look but not send" in page.content.decode()
    viewer.handler.enforce_csrf_checks = False
    assert viewer.post("/playground", GIVEN).status_code == 403
    assert not Signal.objects.exists()


def test_a_form_from_elsewhere_is_refused(viewer: Client) -> None:
    assert viewer.post("/playground", GIVEN).status_code == 403


def test_a_venue_that_is_away_is_said_and_stops_nobody(operator: Client) -> None:
    assert "No price:" in operator.get("/playground/price?symbol=BTC&signal_direction=long").content.decode()
