"""What the tests of keys and limits share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from redis import Redis

from access import services
from access.throttling import PREFIX, limiter


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_recent", services._Recent())


@pytest.fixture
def store() -> Iterator["Redis"]:
    """The limiter's Redis, without any memory of other tests."""
    with Redis.from_url(f"{settings.REDIS_URL}/0", decode_responses=True) as client:
        for name in client.scan_iter(f"{PREFIX}*"):
            client.delete(name)
        limiter.cache_clear()
        yield client


@pytest.fixture
def lens(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Change the installation's settings for one test."""

    def change(**fields: Any) -> None:
        monkeypatch.setattr(settings, "LENS", settings.LENS.model_copy(update=fields))

    return change
