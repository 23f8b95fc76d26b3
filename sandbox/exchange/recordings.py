"""A folder of recorded answers, found by what they answer.

Two layouts, mixed freely and at any depth: `<type>[_<coin>[_<interval>]].json`, and `<name>.response.json` beside
`<name>.meta.json`, whose `request.body` holds the request. Files that fit neither are left out.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from sandbox.exchange.wire import Interval

TYPES = (
    "allMids",
    "meta",
    "metaAndAssetCtxs",
    "l2Book",
    "candleSnapshot",
    "fundingHistory",
    "predictedFundings",
    "recentTrades",
)
NEED_COIN = {"l2Book", "candleSnapshot", "fundingHistory", "recentTrades"}
REQUEST, RESPONSE = ".meta.json", ".response.json"


@dataclass(frozen=True, slots=True)
class Key:
    """What a recording answers."""

    type: str
    coin: str = ""
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded answer and the file it lies in."""

    source: str
    payload: Any


def load(folder: Path) -> dict[Key, Recording]:
    """Every recording by what it answers; of several for one request, the longest. Raises ValueError when there is none."""
    found: dict[Key, tuple[int, Recording]] = {}
    for path in sorted(folder.rglob("*.json")):
        for key, recording in _read(folder, path):
            size = path.stat().st_size
            if size > found.get(key, (0, recording))[0]:
                found[key] = (size, recording)
    if not found:
        raise ValueError(f"no recordings in {folder}")
    return {key: recording for key, (_, recording) in found.items()}


def _read(folder: Path, path: Path) -> Iterator[tuple[Key, Recording]]:
    if path.name.endswith(REQUEST):
        return
    asked = path.with_name(path.name.removesuffix(RESPONSE) + REQUEST)
    is_pair = path.name.endswith(RESPONSE) and asked.exists()
    key = _from_request(asked) if is_pair else _from_name(path.stem)
    if key is not None:
        yield key, Recording(str(path.relative_to(folder)), json.loads(path.read_bytes()))


def _from_request(asked: Path) -> Key | None:
    request = json.loads(json.loads(asked.read_bytes())["request"]["body"])
    inner = request.get("req", request)
    return _checked(Key(request["type"], inner.get("coin", ""), inner.get("interval", "")))


def _from_name(stem: str) -> Key | None:
    kind, _, rest = stem.partition("_")
    coin, _, interval = rest.partition("_")
    return _checked(Key(kind, coin, interval))


def _checked(key: Key) -> Key | None:
    fits = key.type in TYPES and bool(key.coin) == (key.type in NEED_COIN)
    return key if fits and (key.interval in get_args(Interval)) == (key.type == "candleSnapshot") else None
