"""What the tests of the pages share: people who look at them, and an enrichment with its bars."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from core.canonical import digest
from enrichment.models import Enrichment
from enrichment.series import drawn
from signals.models import Signal
from tests.enrichment.markets import candles, walk

QUIET: dict[str, list[str]] = {"missing_data": [], "stale_data": [], "out_of_range": [], "provider_errors": []}
PAYLOAD = (
    '{"event_type":"OPEN_SIGNAL","levels":{"resistance":[],"support":[{"atr":-4.04,"price":59000,"strength":1,"touches":3}],'
    '"timeframe":"1h"},"market":{"mid":60010.5},"signal_direction":"long",'
    '"timeframes":{"1h":{"atr_14":250}}}'
)


@pytest.fixture
def viewer(db: None) -> Client:
    """A member of staff who may look and nothing else."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("vera", is_staff=True))
    return client


@pytest.fixture
def operator(db: None) -> Client:
    """A member of staff who may send signals."""
    person = User.objects.create_user("otto", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="add_signal"))
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def enriched() -> Callable[..., Enrichment]:
    """Freezes a market beside a signal."""

    def freeze(signal: Signal, payload: str = PAYLOAD, **columns: Any) -> Enrichment:
        fields = {
            "profile": "trend_follow_v1",
            "provider": "sandbox",
            "payload": payload,
            "payload_hash": digest(payload),
            "quality_flags": QUIET,
            "quality_score": 1.0,
            "duration_ms": 20,
            "series": drawn(candles(walk(120), "15m")),
        }
        return Enrichment.objects.create(signal=signal, **{**fields, **columns})

    return freeze
