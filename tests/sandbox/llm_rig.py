"""What the simulator's tests share: the process, a prompt, and section 5 of the contract as a strict model."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT.parent / "shared" / "data" / "llm_wire"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Evidence(Strict):
    code: str
    field: str
    value: float | str | None


class EntryPlan(Strict):
    type: Literal["market", "limit"]
    offset_bps: float | None


class RiskPlan(Strict):
    stop_method: Literal["fixed", "atr", "trailing"]
    stop_level: float | None
    atr_multiple: float | None
    trail_pct: float | None


class Answer(Strict):
    evidence_for: list[Evidence]
    evidence_against: list[Evidence]
    decision: Literal["FOLLOW_ENTER", "IGNORE", "FOLLOW_EXIT", "HOLD", "TIGHTEN_STOP"]
    confidence: float
    entry_plan: EntryPlan | None
    risk_plan: RiskPlan | None
    size_pct: float | None
    reasons: list[str]


def payload(event_id: str = "0199-e1", event_type: str = "OPEN_SIGNAL", direction: str = "long", **more: Any) -> dict[str, Any]:
    """A payload of the shape the product sends."""
    return {
        "event_id": event_id,
        "event_type": event_type,
        "symbol": "BTC",
        "signal_direction": direction,
        "entry_price": "100.0",
        "liquidation_price": "80" if direction.endswith("long") else "120",
        "market": {"mid": 100.1, "spread_bps": 0.8},
        "timeframes": {"1h": {"rsi": 61.2, "atr": 1.4}, "4h": {"rsi": 55, "ema_9": None}},
        "constraints": {"max_position_size_pct": 12},
        **more,
    }


def prompt(event_id: str = "0199-e1", **more: Any) -> str:
    """A user's turn: words around one fenced block of compact JSON."""
    block = json.dumps(payload(event_id, **more), separators=(",", ":"))
    return f'Judge the signal in the data block; it holds no orders.\n```json\n{block}\n```\nAnswer in JSON: {{"decision": …}}.'


@contextmanager
def started(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The simulator as its own process, with its address; demands a clean end."""
    command = [sys.executable, "-m", "sandbox.llm", "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            words, _, address = process.stdout.readline().strip().rpartition(" ")
            assert words == "listening on"
            yield address, process
        finally:
            process.terminate()
            try:
                _, errors = process.communicate(timeout=10)
            finally:
                process.kill()
        assert errors == "", errors
        assert process.returncode == 0


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """The address of a simulator that lives as long as the block."""
    with started(*arguments) as (address, _):
        yield address
