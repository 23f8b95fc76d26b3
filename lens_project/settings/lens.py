"""Every `LENS_*` knob: typed, checked at start, all faults reported at once. `LENS` is the one instance."""

import difflib
import os
import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "LENS_"
CONSENSUS = re.compile(r"majority|any|all|weighted|veto|quorum:[1-9]\d?")
MODEL_HOST = re.compile(r"(\*\.)?[A-Za-z0-9._-]+|[0-9A-Fa-f.:]+(/\d{1,3})?")
# A cluster injects these for every service it knows; they are not settings of ours.
_INJECTED = re.compile(r"LENS_.*_(SERVICE|PORT)(_.*)?$")

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Port = Annotated[int, Field(ge=1, le=65_535)]


class LensSettings(BaseSettings):
    """What can be set, its default and its bounds. Units are in the names."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    data_dir: Path = ROOT / ".lens"
    market: Literal["sandbox", "hyperliquid"] = "hyperliquid"
    hyperliquid_url: str = "https://api.hyperliquid.xyz"
    hyperliquid_weight_per_minute: Annotated[int, Field(ge=200, le=1_000_000)] = 1_200
    sandbox_llm_url: str | None = None
    sandbox_api_key: str | None = None

    http_host: str = "127.0.0.1"
    http_port: Port = 8000
    ws_port: Port = 8001
    metrics_port: Port | None = None
    web_processes: Annotated[int, Field(ge=1, le=64)] = 1
    ws_processes: Annotated[int, Field(ge=1, le=64)] = 1
    evaluate_threads: Annotated[int, Field(ge=1, le=1_000)] = 200
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    trusted_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    rate_limit_per_minute: Annotated[int, Field(ge=0, le=100_000)] = 60
    rate_limit_burst: Annotated[int, Field(ge=0, le=100_000)] = 120
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    max_signal_age_s: Seconds = 300
    max_drift_bps: Annotated[float, Field(gt=0, le=10_000)] = 200
    max_future_s: Annotated[float, Field(ge=0, le=3_600)] = 2
    feature_profile: str = "trend_follow_v1"
    evaluation_deadline_s: Seconds = 45
    consensus: str = "majority"
    max_ungrounded_ratio: Annotated[float, Field(ge=0, le=1)] = 1
    decision_ttl_s: Seconds = 300
    model_hosts: Annotated[tuple[str, ...], NoDecode] = ("vendors", "loopback")

    heartbeat_s: Annotated[float, Field(ge=0.1, le=300)] = 5
    stream_retention_days: Annotated[int, Field(ge=1, le=3_650)] = 30
    retention_days: Annotated[int, Field(ge=1, le=3_650)] = 365
    ws_max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    ws_patience_s: Annotated[float, Field(ge=0.1, le=300)] = 10

    webhook_allow_private: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    webhook_disable_after_days: Annotated[float, Field(gt=0, le=365)] = 5

    crash_points: bool = False

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

    @field_validator("consensus")
    @classmethod
    def _known_policy(cls, value: str) -> str:
        if not CONSENSUS.fullmatch(value):
            raise ValueError("use majority, any, all, weighted, veto or quorum:<k>")
        return value


class SettingsError(Exception):
    """The environment does not make sense; the message lists every fault with the variable's name."""


def load(environ: dict[str, str] | None = None) -> LensSettings:
    """The settings from the environment. Raises SettingsError with all faults at once."""
    faults = unknown(os.environ if environ is None else environ)
    try:
        loaded = LensSettings()
    except ValidationError as error:
        faults += [f"{PREFIX}{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()]
    if faults:
        raise SettingsError("The environment has faults:\n  " + "\n  ".join(faults))
    return loaded


def unknown(environ: "dict[str, str] | os._Environ[str]") -> list[str]:
    """One sentence for each `LENS_*` variable that is no setting, naming the nearest one."""
    known = [PREFIX + name.upper() for name in LensSettings.model_fields]
    strangers = [name for name in environ if name.startswith(PREFIX) and name not in known and not _INJECTED.match(name)]
    return [f"{name}: no such setting{_nearest(name, known)}" for name in sorted(strangers)]


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


LENS = load()
