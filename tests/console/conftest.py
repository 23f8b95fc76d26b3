"""What the tests of this folder share: a client with a key, and signals as far along as a test needs them."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from access.models import Scope
from access.services import create_key
from evaluation.models import Verdict
from publishing.services import publish_decision
from signals.models import Signal
from tests.conftest import SignalFactory
from tests.publishing.conftest import judge

ClientFactory = Callable[..., APIClient]
READER = (Scope.EVENTS_READ, Scope.DECISIONS_READ)


@pytest.fixture
def client_of(db: None) -> ClientFactory:
    """A client that holds a new key; it may read everything unless told otherwise."""

    def client(*scopes: str, **limits: Any) -> APIClient:
        text = create_key("reader", scopes or READER, **limits)[1]
        return APIClient(headers={"X-API-Key": text})

    return client


@pytest.fixture
def reader(client_of: ClientFactory) -> APIClient:
    """A client that may read everything."""
    return client_of()


@pytest.fixture
def judged(make_signal: SignalFactory) -> Callable[..., Signal]:
    """Stores a signal with one published decision and a verdict; columns of the decision may be given."""

    def make(decision: dict[str, Any] | None = None, **changes: Any) -> Signal:
        signal = make_signal(**changes)
        row = judge(signal, **(decision or {}))
        assert publish_decision(signal, row.model)
        vote = {"model": row.model, "decision": row.decision, "confidence": row.confidence, "status": row.status}
        outcome = {
            "decision": row.decision,
            "confidence": row.confidence,
            "policy": "majority",
            "votes": [vote],
            "disagreement": 0.0,
        }
        Verdict.objects.create(signal=signal, evaluation=0, **outcome)
        return signal

    return make
