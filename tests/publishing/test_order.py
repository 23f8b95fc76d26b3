"""The log under many publishers: every reader that tails it sees 1 … n, each once, none late."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from evaluation.models import Decision
from publishing.models import StreamHead
from publishing.selectors import read
from publishing.services import append_decision
from signals.models import Signal
from tests.publishing.conftest import ANSWER

PUBLISHERS, READERS, EACH = 8, 4, 1_250
PATIENCE_S = 240


@pytest.mark.django_db(transaction=True)
def test_tailing_readers_see_every_frame_once_and_in_order(make_signal: Callable[..., Signal]) -> None:
    signals = [make_signal() for _ in range(PUBLISHERS)]
    models = [f"model-{number}" for number in range(EACH)]
    total, start = PUBLISHERS * EACH, threading.Barrier(PUBLISHERS + READERS)

    def publisher(signal: Signal) -> None:
        with_own_connection(start)
        try:
            for model in models:
                append_decision(signal, Decision(signal=signal, model=model, decision="IGNORE", status="ok", answer=ANSWER))
        finally:
            connection.close()

    def reader(_: int) -> list[int]:
        with_own_connection(start)
        seen: list[int] = []
        ends = time.monotonic() + PATIENCE_S
        try:
            while len(seen) < total and time.monotonic() < ends:
                seen += [frame.seq for frame in read(after=seen[-1] if seen else 0, limit=100).frames]
        finally:
            connection.close()
        return seen

    with ThreadPoolExecutor(PUBLISHERS + READERS) as pool:
        readings = [pool.submit(reader, number) for number in range(READERS)]
        published = [pool.submit(publisher, signal) for signal in signals]
        for done in published:
            done.result()
        for reading in readings:
            assert reading.result() == list(range(1, total + 1))
    assert StreamHead.objects.get().last_seq == total


def with_own_connection(start: threading.Barrier) -> None:
    """Connect first, so that all begin at the same moment."""
    connection.ensure_connection()
    start.wait()
