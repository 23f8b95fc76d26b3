"""Freezing the market beside a signal: load, think with no transaction open, save in one short transaction."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction

from core import telemetry
from core.canonical import digest
from core.clock import ZERO, iso, now
from core.crashpoints import crashpoint
from core.prepared import insert, row
from enrichment import validation
from enrichment.assembly import Judged, assemble, liquidation_room
from enrichment.desk import Question, desk
from enrichment.indicators import Reading
from enrichment.microstructure import Depth, depth
from enrichment.models import Enrichment
from enrichment.policy import policy
from enrichment.ports import Seen
from enrichment.profiles import Profile, profile_named
from enrichment.quality import Quality, assess
from enrichment.snapshot import Snapshot
from enrichment.validation import Limits
from signals.lifecycle import advance
from signals.models import Signal, Status
from signals.panel import judges
from signals.stage import Claim

# Universe, price and candles one after the other, each at most 4.5 s, and never more than this together: well within the lease.
TOGETHER_S = 12.0

_LOOK = """
    SELECT now(), coalesce(paused, false), max_age_s, max_future_s, max_drift_bps, max_drift_atr
    FROM (SELECT 1) AS one LEFT JOIN signals_source ON name = %s
"""


class _Look(NamedTuple):
    """The database's time, by which bars are closed whatever this machine's clock says; and what the source is held to."""

    at: datetime
    ahead: timedelta
    paused: bool
    limits: Limits


@dataclass(frozen=True, slots=True)
class Frozen:
    """What is about to be saved."""

    snapshot: Snapshot
    quality: Quality
    payload: str
    duration_ms: int


def enrich(held: Claim) -> None:
    """Judge whether the signal may go on, look at its market, and store what was seen.

    Raises Rejected for a signal that must not go further, Transient when its price cannot be had now, Permanent `unknown_profile`.
    A timeframe that cannot be had is flagged, and the rest stored: partial is a quality, not a failure.
    """
    started = time.monotonic()
    signal = held.signal
    profile = profile_named(signal.feature_profile or settings.LENS.feature_profile)
    look = _look(signal)
    validation.check_source(signal.source, look.paused)
    age_s = validation.check_age(signal.ts_utc, signal.received_at, look.limits)
    # Back to the pool: nothing of the database is held while the venue thinks.
    connection.close()
    snapshot = _observe(signal, profile, look, started)
    validation.check_drift_in_atr(signal.opens, snapshot.drift_bps, snapshot.drift_atr, look.limits)
    room, around = liquidation_room(signal, snapshot.mid), _depth(signal, snapshot)
    judged = Judged(room, around, assess(snapshot, room, around))
    payload = assemble(signal, snapshot, judged, policy().constraints(snapshot.coin), age_s)
    crashpoint("enrich.before_save")
    _save(signal, Frozen(snapshot, judged.quality, payload, round((time.monotonic() - started) * 1000)))
    crashpoint("enrich.after_save")


def _look(signal: Signal) -> _Look:
    ours = settings.LENS
    usual = Limits(ours.max_signal_age_s, ours.max_future_s, ours.max_drift_bps)
    at, paused, *own = row(_LOOK, [signal.source])
    return _Look(at, now() - at, paused, usual.narrowed(own))


def _observe(signal: Signal, profile: Profile, look: _Look, started: float) -> Snapshot:
    """Price first: a signal that has drifted costs no candles."""
    here = desk()
    coin = here.provider.coin(signal.symbol)
    ticker = here.provider.ticker(coin)
    drift = validation.check_drift(signal.opens, signal.entry_price, ticker.mid, look.limits)
    asked = Question(coin, look.at, profile, ticker.behind(look.ahead))
    found = here.look(asked, within_s=started + TOGETHER_S - time.monotonic())
    return Snapshot(
        market=here.provider.name,
        coin=coin,
        at=look.at,
        observed_at=now(),
        ticker=ticker,
        drift_bps=drift,
        profile=profile,
        readings=found.readings,
        context=found.context,
        predicted=found.predicted,
        interest=found.interest,
        books=found.books,
        worker_skew=look.ahead,
    )


def _depth(signal: Signal, seen: Snapshot) -> Depth | None:
    """What the books say of the signal's size. Entering long and leaving a short buy."""
    wanted = seen.profile.order_book
    if wanted is None:
        return None
    return depth(seen.known_books, wanted.depth_pct, signal.size, buys=signal.long is signal.opens)


def _save(signal: Signal, frozen: Frozen) -> None:
    """Move the signal and write the row, both or neither. Nothing is written when another worker was first."""
    seen, quality = frozen.snapshot, frozen.quality
    details = {"duration_ms": frozen.duration_ms, "profile": seen.profile.name, "quality": quality.score}
    with transaction.atomic():
        # The venue's spelling replaces the sender's, so that filters and frames name one coin one way.
        if not advance(signal, Status.ENRICHED, details=details, enriched_at=ZERO, expected=judges(), symbol=seen.coin):
            return
        insert(
            Enrichment(
                signal=signal,
                evaluation=signal.evaluation,
                profile=seen.profile.name,
                provider=seen.market,
                payload=frozen.payload,
                payload_hash=digest(frozen.payload),
                series=_series(frozen),
                quality_flags=quality.flags,
                quality_score=quality.score,
                provenance=_provenance(frozen),
                duration_ms=frozen.duration_ms,
            )
        )
    telemetry.enrichment_duration.labels(profile=seen.profile.name).observe(frozen.duration_ms / 1000)


def _series(frozen: Frozen) -> str:
    """The bars of the profile's first timeframe, or nothing: bars of another one would not be what their name says."""
    reading = frozen.snapshot.readings[frozen.snapshot.profile.timeframes[0]]
    return reading.series if isinstance(reading, Reading) else ""


def _provenance(frozen: Frozen) -> dict[str, Any]:
    """Where the numbers come from: versions of what decided them, when each answer was true and here, and the hash of the venue's
    reply; how long every history is, and what its beginning may still weigh in each value."""
    seen = frozen.snapshot
    return {
        "profile_version": seen.profile.version,
        "policy_version": policy().version,
        "components": {name: _component(at) for name, at in seen.components()},
        "snapshot_span_ms": round(seen.span.total_seconds() * 1000),
        "venue_skew_ms": seen.ticker.skew_ms,
        "timeframes": {interval: _history(reading) for interval, reading in seen.readings.items() if isinstance(reading, Reading)},
    }


def _component(at: Seen) -> dict[str, str]:
    return {"as_of": iso(at.as_of), "available_at": iso(at.available_at), "reply_sha256": at.digest}


def _history(reading: Reading) -> dict[str, Any]:
    last_close = None if reading.last_close is None else iso(reading.last_close)
    errors = {name: float(f"{error:.1e}") for name, error in reading.warmup_err.items()}
    return {"last_close": last_close, "n_bars": reading.n_bars, "warmup_err": errors}
