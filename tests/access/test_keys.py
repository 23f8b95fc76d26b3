"""Keys: shown once, hashed at rest, ended within a second."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from access import services
from access.models import ApiKey, Scope
from access.services import Caller, authenticate, create_key, revoke_key
from core.clock import now

pytestmark = pytest.mark.django_db


def test_a_key_opens_what_its_scopes_say() -> None:
    key, text = create_key("bot", ["signals:write"], allowed_sources=["desk_7"])
    caller = authenticate(text)
    assert caller is not None
    assert caller.id == f"key:{key.pk}"
    assert caller.may(Scope.SIGNALS_WRITE)
    assert not caller.may(Scope.DECISIONS_READ)
    assert (caller.sees("desk_7"), caller.sees("desk_8")) == (True, False)


def test_the_text_is_nowhere_in_the_database() -> None:
    key, text = create_key("bot", ["admin"])
    assert text.startswith(f"lens_{key.prefix}_")
    row = ApiKey.objects.filter(pk=key.pk).values().get()
    assert text.rsplit("_", 1)[1] not in str(row)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text + "x",
        lambda text: text[:-1],
        lambda text: "",
        lambda text: text.upper(),
        lambda text: text.replace(text[5], "\x00", 1),
        lambda text: text[:-1] + "\ud800",
    ],
)
def test_any_other_text_opens_nothing(damage: object) -> None:
    _, text = create_key("bot", ["admin"])
    assert authenticate(damage(text)) is None  # type: ignore[operator]


def test_expired_and_revoked_keys_open_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _, expired = create_key("old", ["admin"], expires_at=now() - timedelta(seconds=1))
    assert authenticate(expired) is None
    key, text = create_key("bot", ["admin"])
    assert authenticate(text) is not None
    assert revoke_key(str(key.pk))
    monkeypatch.setattr(services, "CACHE_S", 0.0)
    assert authenticate(text) is None
    assert not revoke_key(str(key.pk))


def test_last_use_is_noted() -> None:
    key, text = create_key("bot", ["admin"])
    authenticate(text)
    assert ApiKey.objects.get(pk=key.pk).last_used_at is not None


@pytest.mark.parametrize("scopes", [[], ["signals:write", "everything"]])
def test_unknown_scopes_are_refused(scopes: list[str]) -> None:
    with pytest.raises(ValueError, match="scope"):
        create_key("bot", scopes)


def test_admin_implies_every_scope() -> None:
    caller = Caller("key:1", "root", frozenset({"admin"}))
    assert all(caller.may(scope) for scope in Scope.values)


def test_the_command_prints_a_key_that_works(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_api_key", "bot", "--scopes", "signals:write, events:read", "--expires", "90d")
    assert authenticate(capsys.readouterr().out.strip()) is not None
    with pytest.raises(CommandError) as refused:
        call_command("create_api_key", "bot", "--scopes", "everything")
    assert refused.value.returncode == 2
