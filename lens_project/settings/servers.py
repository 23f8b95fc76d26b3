"""The variables without our prefix: the servers we stand on and Django's own key, in the names everybody gives them."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from lens_project.settings.lens import knob


class ServerSettings(BaseSettings):
    """Like LensSettings; None is "not set", and then the running stack's is taken where there is one."""

    model_config = SettingsConfigDict(env_prefix="", extra="ignore", frozen=True)

    database_url: str | None = knob(
        None, "your PostgreSQL, instead of the embedded one", heading="Servers and Django's key", secret=True
    )
    redis_url: str | None = knob(
        None, "your Redis or Valkey, instead of the embedded one; databases 0 and 1 are taken", secret=True
    )
    database_pool_size: Annotated[int, Field(ge=0, le=1_000)] = knob(
        0, "connections a process may hold; needed by anything that runs threads (`make run`: 16)"
    )
    database_pool_wait_s: Annotated[float, Field(gt=0, le=120)] = knob(
        5,
        "how long a thread waits for one of them before it gives up (`make run`: 20 for `worker-evaluate`, where hundreds of calls "
        "share a pool and nobody waits for an answer)",
    )
    database_health_checks: bool = knob(
        False,
        "1: a connection is checked before each use, so a database restart fails no request (`make run`: 1 for web and sockets)",
    )
    database_transaction_pooling: bool = knob(
        False,
        "1: a PgBouncer in transaction mode stands before PostgreSQL; nothing asks for a session of its own (docs/scaling.md)",
    )
    django_secret_key: str | None = knob(
        None, "sessions and webhook secrets hang on it; required, but where `make run` generates one", secret=True
    )
    django_secret_key_fallbacks: Annotated[tuple[str, ...], NoDecode] = knob(
        (), "former keys, separated by commas: what was made with them stays good", secret=True
    )

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if value and not (parts.scheme in ("postgres", "postgresql") and parts.path.strip("/")):
            raise ValueError("use postgresql://user:password@host:5432/name")
        return value or None

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        plain = parts.scheme in ("redis", "rediss") and parts.hostname and not parts.query
        if value and not (plain and re.fullmatch(r"/?\d*", parts.path)):
            raise ValueError("use redis://:password@host:6379 (rediss:// with TLS), without options")
        return value or None

    @field_validator("django_secret_key_fallbacks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(key.strip() for key in value.split(",") if key.strip()) if isinstance(value, str) else value
