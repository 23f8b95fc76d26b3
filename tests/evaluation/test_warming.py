"""Before a worker takes its first work: which clients are made, and that nothing keeps it from starting."""

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError

from evaluation import beat, warming
from evaluation.clients import kept
from evaluation.models import EvaluationModel
from evaluation.warming import warm
from lens_project.pipeline import EVALUATE
from tests.evaluation.conftest import Simulator
from tests.evaluation.speakers import KEY_ENV, SPEAKERS

pytestmark = pytest.mark.django_db

Register = Callable[..., EvaluationModel]


def worker(*queues: str) -> Any:
    return SimpleNamespace(app=SimpleNamespace(amqp=SimpleNamespace(queues=SimpleNamespace(consume_from=dict.fromkeys(queues)))))


def test_every_enabled_model_has_its_client_and_nobody_was_asked(register: Register, simulator: Simulator) -> None:
    kept.let_go()
    for name, (vendor, path, api) in SPEAKERS.items():
        register(name, vendor=vendor, base_url=simulator.url + path, api=api)
    register("rules", vendor="baseline", model_id="baseline-v1", base_url="", key_env="")
    register("off", vendor="anthropic", base_url=f"{simulator.url}/other", enabled=False)
    beat.prepare(worker("enrich", "publish", "control"))
    assert not kept._clients.made
    beat.prepare(worker("evaluate"))
    made = {(kind, address.removeprefix(simulator.url)) for kind, address, _ in kept._clients.made}
    assert made == {("openai", "/v1"), ("google", ""), ("anthropic", "")}
    assert simulator.totals()["received"] == 0


def test_what_cannot_be_made_ready_keeps_no_worker_from_starting(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    register("well")
    register("keyless", key_env="NOBODYS_API_KEY")
    register("elsewhere", base_url="https://evil.example/v1")
    assert warm() == ["well"]
    monkeypatch.delitem(os.environ, KEY_ENV)
    assert warm() == []

    def gone() -> list[str]:
        raise DatabaseError("not yet")

    monkeypatch.setattr(warming, "enabled_models", gone)
    assert warm() == []


def test_the_worker_that_is_warmed_is_the_one_that_asks(settings: Any) -> None:
    assert settings.CELERY_TASK_ROUTES[EVALUATE]["queue"] == beat.QUEUE
