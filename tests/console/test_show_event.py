"""`manage.py show_event`: a signal with everything that is known of it, or a clear end."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from core.canonical import digest
from enrichment.models import Enrichment
from signals.models import Signal
from tests.conftest import SignalFactory

pytestmark = pytest.mark.django_db

COMPONENTS = {"mid": {"as_of": "2026-01-05T09:00:00.000Z", "available_at": "2026-01-05T09:00:00.120Z", "reply_sha256": "ab" * 32}}


def shown(*arguments: str) -> str:
    out = StringIO()
    call_command("show_event", *arguments, stdout=out)
    return out.getvalue()


def frozen(signal: Signal) -> str:
    payload = '{"market":{"mid":60000,"spread_bps":0.5}}'
    Enrichment.objects.create(
        signal=signal,
        profile="full_v1",
        provider="sandbox",
        payload=payload,
        payload_hash=digest(payload),
        quality_flags={"missing_data": ["oi_history_short:24h"], "stale_data": [], "out_of_range": [], "provider_errors": []},
        quality_score=0.98,
        provenance={"components": COMPONENTS},
        duration_ms=120,
    )
    return digest(payload)


def test_people_see_payload_flags_and_times(make_signal: SignalFactory) -> None:
    signal = make_signal()
    hashed = frozen(signal)
    text = shown(str(signal.pk))
    for part in (
        hashed,
        "oi_history_short:24h",
        "true at 2026-01-05T09:00:00.000Z",
        '"spread_bps": 0.5',
        "full_v1 from sandbox, 120 ms",
    ):
        assert part in text


def test_as_json_it_is_one_object_with_the_payload_in_it(make_signal: SignalFactory) -> None:
    signal = make_signal()
    hashed = frozen(signal)
    known = json.loads(shown(str(signal.pk), "--json"))
    assert known["event_id"] == str(signal.pk)
    assert known["enrichment"]["payload"] == {"market": {"mid": 60000, "spread_bps": 0.5}}
    assert known["enrichment"]["payload_hash"] == hashed
    assert known["enrichment"]["provenance"]["components"] == COMPONENTS


def test_a_signal_without_a_market_is_shown_too(make_signal: SignalFactory) -> None:
    assert "queued, stage enrich" in shown(str(make_signal().pk))


@pytest.mark.parametrize(("event_id", "code"), [("nonsense", 2), ("0199c000-0000-7000-8000-000000000000", 1)])
def test_what_is_not_there_ends_with_its_code(event_id: str, code: int) -> None:
    with pytest.raises(CommandError) as ended:
        shown(event_id)
    assert ended.value.returncode == code
