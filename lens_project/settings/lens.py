"""Every `LENS_*` knob: its type, bounds, default and effect. docs/configuration.md and .env.example are drawn from here."""

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "LENS_"
CONSENSUS = re.compile(r"majority|any|all|weighted|veto|quorum:[1-9]\d?")
MODEL_HOST = re.compile(r"(\*\.)?[A-Za-z0-9._-]+|[0-9A-Fa-f.:]+(/\d{1,3})?")

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Processes = Annotated[int, Field(ge=1, le=64)]
Days = Annotated[int, Field(ge=1, le=3_650)]
Words = Annotated[tuple[str, ...], NoDecode]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode]


def knob(default: Any, effect: str, *, heading: str = "", secret: bool = False) -> Any:
    """A setting's default and effect; `heading` opens a new part of the list, a secret may also come from a file."""
    return Field(default, description=effect, json_schema_extra={"heading": heading, "secret": secret})


class LensSettings(BaseSettings):
    """What can be set, its default and its bounds. Units are in the names."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    market: Literal["sandbox", "hyperliquid"] = knob(
        "hyperliquid",
        "which market is asked; every frame says so. Unset, it is the running stack's, and `make run` takes `sandbox`",
        heading="The market",
    )
    hyperliquid_url: str = knob("https://api.hyperliquid.xyz", "base URL of the market data provider")
    hyperliquid_weight_per_minute: Annotated[int, Field(ge=200, le=1_000_000)] = knob(
        1_200, "what may be asked of the venue in a minute, by its weights, for all processes together"
    )

    max_signal_age_s: Seconds = knob(300, "older signals end rejected", heading="Which signals are judged, and how")
    max_future_s: Annotated[float, Field(ge=0, le=3_600)] = knob(2, "signals further ahead end rejected")
    max_drift_bps: Annotated[float, Field(gt=0, le=10_000)] = knob(
        200,
        "OPEN signals whose price has moved further end rejected; as of the two above, a source may have its own (admin), "
        "and one in ATRs",
    )
    feature_profile: str = knob("trend_follow_v1", "what is frozen for a signal that names none")
    evaluation_deadline_s: Seconds = knob(45, "from the first question to the verdict")
    consensus: str = knob("majority", "how answers become a verdict: `majority`, `any`, `all`, `quorum:k`, `weighted`, `veto`")
    max_ungrounded_ratio: Annotated[float, Field(ge=0, le=1)] = knob(
        1, "an answer more of whose cited numbers do not stand in its payload is `incoherent`; 1: never"
    )
    decision_ttl_s: Seconds = knob(300, "how long a decision is advice (`valid_until`)")
    model_hosts: Words = knob(
        ("vendors", "loopback"),
        "where prompts and keys may be sent: those words, `private`, host names, `*.domain`, addresses, networks; "
        "checked when a model is saved and at every call",
    )

    heartbeat_s: Annotated[float, Field(ge=0.1, le=300)] = knob(5, "heartbeat on sockets", heading="The stream and webhooks")
    ws_max_connections: Annotated[int, Field(ge=1, le=100_000)] = knob(1_000, "sockets per process")
    ws_patience_s: Annotated[float, Field(ge=0.1, le=300)] = knob(
        10, "a client that takes longer to read what the server's buffers hold is closed with 4410"
    )
    stream_retention_days: Days = knob(
        30, "older frames leave the stream; whoever wants them is told `before_retention`. Decisions stay"
    )
    retention_days: Days = knob(
        365,
        "older signals go with all that hangs on them, every hour or by `manage.py prune`; never one that is not settled, "
        "has an open dead letter, or is still on the stream",
    )
    webhook_allow_private: Networks = knob(
        (), "networks of your own that webhooks may post to, over http too; all that is not public is refused otherwise"
    )
    webhook_disable_after_days: Annotated[float, Field(gt=0, le=365)] = knob(
        5, "an endpoint that failed for so long is disabled when a delivery's schedule ends"
    )

    allowed_hosts: Words = knob((), "names this is served under (required in production)", heading="Callers")
    trusted_networks: Networks = knob((), "peers that need no key, with every scope but `admin`")
    trusted_proxies: Networks = knob((), "proxies whose `X-Forwarded-For` is believed; anybody else's changes nothing")
    rate_limit_burst: Annotated[int, Field(ge=0, le=100_000)] = knob(
        120, "signals a key may send in any 60 s; 0: no such limit. Ten times as many failed requests per peer"
    )
    rate_limit_per_minute: Annotated[int, Field(ge=0, le=100_000)] = knob(
        60, "ten times as many signals a key may send in any 600 s; 0: no such limit"
    )

    http_host: str = knob("127.0.0.1", "the address servers listen on", heading="Processes")
    http_port: Port = knob(8000, "REST, admin, pages")
    ws_port: Port = knob(8001, "socket process k listens on this + k")
    web_processes: Processes = knob(1, "web processes; without Redis each allows its share of the limits")
    ws_processes: Processes = knob(1, "socket processes")
    evaluate_threads: Annotated[int, Field(ge=1, le=1_000)] = knob(
        240, "threads of a `worker-evaluate` process: about as many model calls it waits for at once"
    )
    broker_url: str | None = knob(
        None, "a RabbitMQ, `amqp://` or `amqps://`, that carries the tasks in quorum queues; unset: Redis does", secret=True
    )
    metrics_port: Port | None = knob(None, "`/metrics` is served here, by a process of its own, and no longer beside the API")
    data_dir: Path = knob(ROOT / ".lens", "data, pids, logs of `make run`, for one market; a relative path begins at the project")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = knob("INFO", "the least grave lines that are logged")
    sentry_dsn: str | None = knob(
        None,
        "errors are reported to this Sentry or GlitchTip: kind and place, no request, message of an error or variable",
        secret=True,
    )

    sandbox_llm_url: str | None = knob(None, "base URL of the model simulator", heading="Set by the launcher and by tests")
    sandbox_api_key: str | None = knob(None, "what the model simulator takes for a key", secret=True)
    crash_points: bool = knob(False, "processes end where a file in the data directory says so")

    @field_validator("allowed_hosts", "trusted_networks", "trusted_proxies", "model_hosts", "webhook_allow_private", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value if value.is_absolute() else (ROOT / value)

    @field_validator("model_hosts")
    @classmethod
    def _host_rules(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        strange = [rule for rule in value if not MODEL_HOST.fullmatch(rule)]
        if strange:
            raise ValueError(
                f"{strange[0]!r} is no host name, *.domain, address, network, or the word vendors, loopback or private"
            )
        return value

    @field_validator("broker_url")
    @classmethod
    def _rabbitmq(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if value and not (parts.scheme in ("amqp", "amqps") and parts.hostname and not parts.query):
            raise ValueError("use amqp://user:password@host:5672/vhost (amqps:// with TLS), without options")
        return value or None

    @field_validator("consensus")
    @classmethod
    def _known_policy(cls, value: str) -> str:
        if not CONSENSUS.fullmatch(value):
            raise ValueError("use majority, any, all, weighted, veto or quorum:<k>")
        return value

    @field_validator("sentry_dsn")
    @classmethod
    def _dsn(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        whole = parts.scheme in ("http", "https") and parts.username and parts.hostname and parts.path.strip("/").isdigit()
        if value and not whole:
            raise ValueError("use https://key@host/project-number, as its project page shows it")
        return value or None
