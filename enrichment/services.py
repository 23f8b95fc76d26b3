"""Freezing the market beside a signal: load, think with no transaction open, save in one short transaction."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from core import telemetry
from core.canonical import digest
from core.clock import iso, now
from core.crashpoints import crashpoint
from enrichment import validation
from enrichment.assembly import assemble, liquidation_gap
from enrichment.desk import Question, desk
from enrichment.indicators import Reading
from enrichment.models import Enrichment
from enrichment.policy import policy
from enrichment.profiles import Profile, profile_named
from enrichment.quality import Quality, assess
from enrichment.snapshot import Snapshot
from signals.lifecycle import advance
from signals.models import Signal, Status
from signals.panel import judges
from signals.stage import Claim

# Universe, price and candles one after the other, each at most 4.5 s, and never more than this together: well within the lease.
TOGETHER_S = 12.0

_LOOK = "SELECT now(), EXISTS (SELECT 1 FROM signals_source WHERE name = %s AND paused)"


@dataclass(frozen=True, slots=True)
class Frozen:
    """What is about to be saved."""

    snapshot: Snapshot
    profile: Profile
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
    at, paused = _look(signal)
    validation.check_source(signal.source, paused)
    age_s = validation.check_age(signal.ts_utc, signal.received_at, settings.LENS.max_signal_age_s, settings.LENS.max_future_s)
    # Back to the pool: nothing of the database is held while the venue thinks.
    connection.close()
    snapshot = _observe(signal, profile, at, started)
    gap = liquidation_gap(signal, snapshot.mid)
    quality = assess(snapshot, liquidated=gap is not None and gap <= 0)
    payload = assemble(signal, snapshot, policy().constraints(snapshot.coin), quality, age_s)
    crashpoint("enrich.before_save")
    _save(signal, Frozen(snapshot, profile, quality, payload, round((time.monotonic() - started) * 1000)))
    crashpoint("enrich.after_save")


def _look(signal: Signal) -> tuple[datetime, bool]:
    """The database's time, by which bars are closed whatever this machine's clock says, and whether the source is paused."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, [signal.source])
        at, paused = cursor.fetchone()
    return at, paused


def _observe(signal: Signal, profile: Profile, at: datetime, started: float) -> Snapshot:
    """Price first: a signal that has drifted costs no candles."""
    here = desk()
    coin = here.provider.coin(signal.symbol)
    ticker = here.provider.ticker(coin)
    mid_age_s = max((now() - ticker.seen.as_of).total_seconds(), 0.0)
    drift = validation.check_drift(signal.opens, signal.entry_price, ticker.mid, settings.LENS.max_drift_bps)
    found = here.look(Question(coin, at, profile), within_s=started + TOGETHER_S - time.monotonic())
    return Snapshot(here.provider.name, coin, at, ticker.mid, mid_age_s, drift, found.readings)


def _save(signal: Signal, frozen: Frozen) -> None:
    """Move the signal and write the row, both or neither. Nothing is written when another worker was first."""
    seen, quality = frozen.snapshot, frozen.quality
    details = {"duration_ms": frozen.duration_ms, "profile": frozen.profile.name, "quality": quality.score}
    with transaction.atomic():
        # The venue's spelling replaces the sender's, so that filters and frames name one coin one way.
        if not advance(signal, Status.ENRICHED, details=details, enriched_at=Now(), expected=judges(), symbol=seen.coin):
            return
        Enrichment.objects.create(
            signal=signal,
            evaluation=signal.evaluation,
            profile=frozen.profile.name,
            provider=seen.market,
            payload=frozen.payload,
            payload_hash=digest(frozen.payload),
            series=_series(frozen),
            quality_flags=quality.flags,
            quality_score=quality.score,
            provenance=_provenance(frozen),
            duration_ms=frozen.duration_ms,
        )
    telemetry.enrichment_duration.labels(profile=frozen.profile.name).observe(frozen.duration_ms / 1000)


def _series(frozen: Frozen) -> str:
    """The bars of the profile's first timeframe, or nothing: bars of another one would not be what their name says."""
    reading = frozen.snapshot.readings[frozen.profile.timeframes[0]]
    return reading.series if isinstance(reading, Reading) else ""


def _provenance(frozen: Frozen) -> dict[str, Any]:
    """Where the numbers come from: versions of what decided them, and the age and length of every history."""
    seen = frozen.snapshot
    return {
        "profile_version": frozen.profile.version,
        "policy_version": policy().version,
        "mid_as_of": iso(seen.at - timedelta(seconds=seen.mid_age_s)),
        "timeframes": {interval: _history(reading) for interval, reading in seen.readings.items() if isinstance(reading, Reading)},
    }


def _history(reading: Reading) -> dict[str, Any]:
    last_close = None if reading.last_close is None else iso(reading.last_close)
    return {"last_close": last_close, "n_bars": reading.n_bars, "warmup_err": reading.warmup_err}
