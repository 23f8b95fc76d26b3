"""What judging's tests share: a simulator of the vendors, a dripping server, and signals as enrichment leaves them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.db import transaction
from django.utils.module_loading import import_string

from core.canonical import digest
from core.clock import ZERO
from enrichment.models import Enrichment
from evaluation import texts
from evaluation.clients import CLIENTS
from evaluation.clients.kept import let_go
from evaluation.models import EvaluationModel, Vendor
from evaluation.selectors import forget_registry
from signals.lifecycle import advance
from signals.models import Signal, Status
from tests.evaluation.cases import NO_FLAGS, closing, payload
from tests.evaluation.speakers import KEY_ENV

ROOT = Path(__file__).resolve().parents[2]


class Simulator:
    """The vendors, played by sandbox.llm in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx2.Client(base_url=url, timeout=10)

    def script(self, what: str, *rules: dict[str, Any]) -> None:
        """Replace the rules of `answers`, `errors` or `faults`."""
        self._http.put(f"/_control/{what}", content=json.dumps(rules)).raise_for_status()

    def latency(self, seconds: float) -> None:
        """How long every model thinks."""
        self._http.put("/_control/latency", content=json.dumps({"seconds": seconds})).raise_for_status()

    def totals(self) -> dict[str, int]:
        """Prompts received and answered since the last reset."""
        return dict(self._http.get("/_control/calls").json()["totals"])

    def prompts(self) -> list[dict[str, Any]]:
        """The bodies of the last requests, oldest first."""
        return [call["body"] for call in self._http.get("/_control/calls/last").json()]

    def reset(self) -> None:
        """As if just started."""
        for what in ("answers", "errors", "faults", "latency", "calls"):
            self._http.delete(f"/_control/{what}").raise_for_status()

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()


@pytest.fixture(scope="session")
def _simulator() -> Iterator[Simulator]:
    process = subprocess.Popen([sys.executable, "-m", "sandbox.llm", "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    # The vendors' SDKs take seconds to load, on a busy machine longer than the short leases of these tests bear.
    for client in CLIENTS.values():
        import_string(client)
    simulator = Simulator(process.stdout.readline().rpartition(" ")[2].strip())
    yield simulator
    simulator.close()
    let_go()
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture
def simulator(_simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """The vendors in good health, with a key for them in the environment."""
    monkeypatch.setitem(os.environ, KEY_ENV, "sk-tests-0123456789")
    _simulator.reset()
    return _simulator


@pytest.fixture(autouse=True)
def _fresh_registry() -> None:
    """Process memory must not outlive the rows it speaks of."""
    forget_registry()
    texts.forget()


@pytest.fixture
def empty_registry(db: None) -> None:
    """No model but those a test registers: the first one comes with the installation."""
    EvaluationModel.objects.all().delete()
    forget_registry()


@pytest.fixture
def register(simulator: Simulator, empty_registry: None) -> Callable[..., EvaluationModel]:
    """Registers a model that the simulator plays."""

    def make(name: str = "chatgpt", **changes: Any) -> EvaluationModel:
        fields = {
            "vendor": Vendor.OPENAI_COMPATIBLE,
            "model_id": f"{name}-sandbox",
            "base_url": f"{simulator.url}/v1",
            "key_env": KEY_ENV,
            "timeout_ms": 5_000,
        }
        model = EvaluationModel.objects.create(name=name, **{**fields, **changes})
        forget_registry()
        return model

    return make


@pytest.fixture
def enriched(make_signal: Callable[..., Signal]) -> Callable[..., Signal]:
    """A signal as enrichment leaves it, expecting these models."""

    def make(*expected: str, text: str | None = None, **changes: Any) -> Signal:
        signal = make_signal(**changes)
        data = text or (payload if signal.opens else closing)(event_id=str(signal.pk))
        with transaction.atomic():
            assert advance(signal, Status.ENRICHED, expected=list(expected), enriched_at=ZERO)
            Enrichment.objects.create(
                signal=signal,
                profile="trend_follow_v1",
                provider="sandbox",
                payload=data,
                payload_hash=digest(data),
                quality_flags=NO_FLAGS,
                quality_score=1.0,
                duration_ms=1,
            )
        return Signal.objects.get(pk=signal.pk)

    return make
