"""Recorded answers in place of the simulated market, moved in time so that the recording ends now.

What was recorded is served as it was, its times moved. What follows from recordings is derived. The one thing imitated is a book's
depth around a recorded mid. Anything else is answered as the venue answers for unknown coins.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from sandbox.exchange import wire
from sandbox.exchange.book import Side, Touch, level_rows, step_units
from sandbox.exchange.candles import MINUTES
from sandbox.exchange.coins import Coin
from sandbox.exchange.contexts import HOUR_MS
from sandbox.exchange.recordings import NEED_COIN, Key, Recording, load
from sandbox.exchange.rollup import moved, overlapping, rolled_up
from sandbox.exchange.units import tick
from sandbox.exchange.venue import reply
from sandbox.exchange.wire import Answer

Make = Callable[[Any, int], Any]


@dataclass(frozen=True, slots=True)
class Served:
    """One kind of answer: what it answers, how it came about, from which file, and how to make it for a query at an instant."""

    key: Key
    how: Literal["recorded", "derived", "imitated"]
    source: str
    note: str
    make: Make

    def fact(self) -> dict[str, Any]:
        """What there is to say about it."""
        return {**asdict(self.key), "how": self.how, "source": self.source, "note": self.note}


class ReplayVenue:
    """Answers from a folder of recordings. Where two could answer, the one that fits the recorded contexts wins."""

    def __init__(self, recordings: dict[Key, Recording]) -> None:
        self.served: dict[Key, Served] = {}
        self.set_aside: list[dict[str, Any]] = []
        for served in (*_around_contexts(recordings), *_as_recorded(recordings), *_longer_candles(recordings)):
            if served.key not in self.served:
                self.served[served.key] = served
            elif served.how == "recorded":
                self.set_aside.append({**served.fact(), "how": "set aside", "note": "does not fit the recorded contexts"})

    @classmethod
    def load(cls, folder: Path) -> "ReplayVenue":
        """Read the folder. Raises ValueError when it holds no recording."""
        return cls(load(folder))

    def facts(self) -> list[dict[str, Any]]:
        """Per kind of answer: recorded, derived or imitated, from which file."""
        return [served.fact() for served in self.served.values()] + self.set_aside

    def answer(self, query: wire.Query, now_ms: int) -> Answer:
        """The reply to one request."""
        tags = query.tags()
        coin = tags.get("coin", "")
        served = self.served.get(Key(tags["endpoint"], coin, tags.get("interval", "")))
        if served is None:
            return wire.NO_BOOK if tags["endpoint"] == "l2Book" else wire.UNKNOWN_COIN
        return reply(served.make(query, now_ms))


def _around_contexts(recordings: dict[Key, Recording]) -> Iterator[Served]:
    """The recorded contexts and what follows from them: universe, mids, and books around the mids."""
    contexts = recordings.get(Key("metaAndAssetCtxs"))
    if contexts is None:
        return
    meta, rows = contexts.payload
    listed = [(entry, row) for entry, row in zip(meta["universe"], rows, strict=True) if row["midPx"] is not None]
    mids = {entry["name"]: row["midPx"] for entry, row in listed}
    yield Served(Key("metaAndAssetCtxs"), "recorded", contexts.source, "as it was", lambda *_: contexts.payload)
    yield Served(Key("meta"), "derived", contexts.source, "the first half of the recorded contexts", lambda *_: meta)
    yield Served(Key("allMids"), "derived", contexts.source, "midPx of every recorded context", lambda *_: mids)
    for entry, row in listed:
        key = Key("l2Book", entry["name"])
        if key not in recordings:
            note = "best prices from the recorded midPx, depth imitated from the recorded day volume"
            yield Served(key, "imitated", contexts.source, note, _imitated_book(entry, row))


def _as_recorded(recordings: dict[Key, Recording]) -> Iterator[Served]:
    for key, recording in recordings.items():
        if key.type in _MOVED:
            note, make = _MOVED[key.type]
            yield Served(key, "recorded", recording.source, note, make(recording.payload))
        elif key.type not in NEED_COIN and key.type != "metaAndAssetCtxs":
            yield Served(key, "recorded", recording.source, "as it was", _constant(recording.payload))


def _longer_candles(recordings: dict[Key, Recording]) -> Iterator[Served]:
    """Every longer interval a one-minute recording can be added up to, where that interval was not recorded itself."""
    for key, recording in recordings.items():
        for interval in MINUTES if key.interval == "1m" else ():
            wanted = Key(key.type, key.coin, interval)
            if wanted not in recordings:
                enough = len(recording.payload) >= MINUTES[interval]
                note = "recorded 1m candles added up" if enough else "too few 1m candles were recorded: the forming one at most"
                yield Served(wanted, "derived", recording.source, note, _candles(recording.payload))


def _constant(payload: Any) -> Make:
    return lambda *_: payload


def _candles(rows: list[dict[str, Any]]) -> Make:
    recorded = rows[0]["i"] if rows else "1m"

    def make(query: wire.CandleSnapshot, now_ms: int) -> Any:
        wanted = query.req
        now_rows = moved(rows, recorded, now_ms)
        if wanted.interval != recorded:
            now_rows = rolled_up(now_rows, wanted.interval)
        return overlapping(now_rows, wanted.startTime, now_ms if wanted.endTime is None else wanted.endTime)

    return make


def _history(rows: list[dict[str, Any]]) -> Make:
    """Funding rows, the last one in this hour."""

    def make(query: wire.FundingHistory, now_ms: int) -> Any:
        delta = now_ms // HOUR_MS * HOUR_MS - rows[-1]["time"] // HOUR_MS * HOUR_MS if rows else 0
        end_ms = now_ms if query.endTime is None else query.endTime
        now_rows = [{**row, "time": row["time"] + delta} for row in rows]
        return [row for row in now_rows if query.startTime <= row["time"] <= end_ms]

    return make


def _trades(rows: list[dict[str, Any]]) -> Make:
    newest = max((row["time"] for row in rows), default=0)
    return lambda _, now_ms: [{**row, "time": row["time"] + now_ms - newest} for row in rows]


def _book(payload: Any) -> Make:
    return lambda _, now_ms: {**payload, "time": now_ms}


def _predicted(payload: Any) -> Make:
    """Rates as recorded, each next funding at the next full interval from now."""

    def ahead(venue: dict[str, Any] | None, now_ms: int) -> dict[str, Any] | None:
        if venue is None or "nextFundingTime" not in venue:
            return venue
        length = int(venue.get("fundingIntervalHours", 8)) * HOUR_MS
        return {**venue, "nextFundingTime": (now_ms // length + 1) * length}

    return lambda _, now_ms: [[coin, [[name, ahead(venue, now_ms)] for name, venue in venues]] for coin, venues in payload]


def _imitated_book(entry: dict[str, Any], row: dict[str, Any]) -> Make:
    """A book whose best prices are the closest ticks around the recorded mid."""
    mid = Decimal(row["midPx"])
    turnover = float(row["dayNtlVlm"])
    coin = Coin(entry["name"], entry["szDecimals"], entry["maxLeverage"], entry.get("marginTableId", 0), float(mid), turnover)
    step = tick(coin.price, coin.price_decimals)
    doubled = int(mid * 2 * 10**coin.price_decimals)
    bid = (doubled - 1) // (2 * step) * step
    best = Touch(bid, doubled - bid, step)

    def make(query: wire.L2Book, now_ms: int) -> Any:
        width = step_units(coin, best, query.nSigFigs, query.mantissa)
        levels = [level_rows(coin, Side(coin, best, sign, now_ms).levels(width)) for sign in (-1, 1)]
        return {"coin": coin.name, "time": now_ms, "levels": levels}

    return make


_MOVED: dict[str, tuple[str, Callable[[Any], Make]]] = {
    "candleSnapshot": ("times moved, the last recorded candle is the forming one", _candles),
    "fundingHistory": ("times moved by whole hours, the last row is in this hour", _history),
    "l2Book": ("time set to now, aggregation not applied", _book),
    "predictedFundings": ("nextFundingTime set to the next full interval", _predicted),
    "recentTrades": ("times moved, the newest is now", _trades),
}
