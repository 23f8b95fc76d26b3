"""What the tests of several apps share: a fixed cast of signals."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db.models.signals import post_migrate
from hypothesis import HealthCheck, settings

from core.clock import now
from evaluation.remembered import forget_all
from signals.models import Signal
from signals.services import Submission, _known_sources, submit

SignalFactory = Callable[..., Signal]

# The same examples every time, however slow the machine.
settings.register_profile("house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def signal_fields(**changes: Any) -> dict[str, Any]:
    """A long on BTC at 60 000, liquidated at 54 000, sent a second ago by desk_7."""
    fields = {
        "event_type": "OPEN_SIGNAL",
        "symbol": "BTC",
        "signal_direction": "long",
        "entry_price": Decimal(60_000),
        "size": Decimal("0.1"),
        "liquidation_price": Decimal(54_000),
        "ts_utc": now() - timedelta(seconds=1),
        "source": "desk_7",
        "feature_profile": "",
        "metadata": {},
    }
    return {**fields, **changes}


def _seat_again(**_: Any) -> None:
    """A test that commits leaves an emptied database: whoever comes next finds again what the migrations seated."""
    import_module("evaluation.migrations.0002_baseline").seat(apps, None)
    import_module("publishing.migrations.0002_stream_head").begin(apps, None)


@pytest.fixture(autouse=True, scope="session")
def _seats() -> None:
    """Django sends `post_migrate` after it has emptied the database, too."""
    post_migrate.connect(_seat_again, sender=apps.get_app_config("publishing"), weak=False)


@pytest.fixture(autouse=True)
def _forget_what_other_tests_stored() -> None:
    """Process memory must not outlive the rows it speaks of."""
    _known_sources.clear()
    forget_all()


@pytest.fixture
def make_signal(db: None) -> SignalFactory:
    """Stores a signal as the gateway does, without sending it on its way."""

    def make(caller: str = "key:test", idempotency_key: str | None = None, **changes: Any) -> Signal:
        signal, _ = submit(Submission(signal_fields(**changes), caller, idempotency_key), lambda _: None)
        return Signal.objects.get(pk=signal.pk)

    return make
