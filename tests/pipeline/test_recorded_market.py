"""The pipeline on what the real venue answered: recordings served in the venue's own wire format."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import ROOT, Lens, running

RECORDINGS = ROOT.parent / "shared" / "data" / "hyperliquid"

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no recordings at {RECORDINGS}"),
]


@pytest.fixture(scope="module")
def venue() -> Iterator[str]:
    """The exchange simulator replaying the recordings; its address."""
    argv = [sys.executable, "-m", "sandbox.exchange", "--port", "0", "--replay", str(RECORDINGS)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


@pytest.fixture(scope="module")
def lens(venue: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lens]:
    """A stack that asks that venue."""
    directory: Path = tmp_path_factory.mktemp("recorded")
    with running(directory, LENS_HYPERLIQUID_URL=venue, LENS_WS_PROCESSES="1") as started:
        yield started


def test_a_signal_is_enriched_and_decided_on_recorded_answers(lens: Lens) -> None:
    event_id = lens.submit(symbol="BTC")
    event = lens.settled([event_id])[event_id]
    assert event["status"] == "published", event["rejection"]
    assert {item["model"] for item in event["decisions"]} == {"baseline", "chatgpt"}
    flags = event["enrichment"]["quality_flags"]
    assert any(flag.startswith("warmup_short") for flag in flags["missing_data"])
    assert flags["provider_errors"] == []


def test_a_coin_the_recordings_do_not_list_is_unknown(lens: Lens) -> None:
    event_id = lens.submit(symbol="LINK")
    assert lens.settled([event_id])[event_id]["rejection"]["code"] == "unknown_symbol"
