"""Puts decision frames on the stream of a running Lens: `python -m bench.publisher COUNT RATE` (0: as fast as it goes).

With a rate, one more frame comes first and a pause after it: a process's first frame waits for what ringing the doorbell loads.
A program of its own, for it speaks to the database as a worker does. The signals are never stored; frames know no foreign keys.
"""

import sys
import time
from decimal import Decimal

import django

django.setup()

from core.clock import now  # noqa: E402  models can be imported only once Django is set up
from core.ids import uuid7  # noqa: E402
from evaluation.models import Decision  # noqa: E402
from publishing.services import append_decision  # noqa: E402
from signals.models import Signal  # noqa: E402

WARM_S, RING_S = 3.0, 1.0
ANSWER = {
    "entry_plan": {"type": "limit", "offset_bps": -5},
    "risk_plan": {"stop_method": "atr", "atr_multiple": 2.0},
    "size_pct": 12,
    "reasons": ["ema_bullish_stack", "volume_confirms", "funding_neutral"],
    "evidence_for": [{"code": "ema_stack", "field": "tf.1h.ema_21", "value": "60210.5"}],
    "evidence_against": [{"code": "rsi_high", "field": "tf.15m.rsi_14", "value": "71.2"}],
}


def main(count: int, rate: float) -> None:
    """Publish at a steady pace."""
    if rate:
        publish()
        time.sleep(WARM_S)
    began = time.monotonic()
    for number in range(count):
        if rate:
            time.sleep(max(began + number / rate - time.monotonic(), 0))
        publish()
    if rate:
        # The bell rings from a thread, which the process's end would cut off: the last frame would wait for a tick.
        time.sleep(RING_S)


def publish() -> None:
    """One decision frame of a signal of its own."""
    signal = Signal(
        id=uuid7(),
        event_type="OPEN_SIGNAL",
        symbol="BTC",
        signal_direction="long",
        entry_price=Decimal(60_000),
        size=Decimal("0.1"),
        ts_utc=now(),
        source="bench",
    )
    verdict = {"decision": "FOLLOW_ENTER", "confidence": 0.62, "status": "ok", "answer": ANSWER}
    append_decision(signal, Decision(signal=signal, model="bench", **verdict))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
