"""Where the stack runs: from the environment, else from the `run/stack.json` the launcher leaves in the data directory."""

import json
import os
from pathlib import Path
from typing import Any

from lens_project.settings.lens import PREFIX, LensSettings


def running_stack(data_dir: Path) -> dict[str, Any]:
    """The launcher's facts, or nothing when no stack was ever started in this data directory."""
    file = data_dir / "run" / "stack.json"
    return json.loads(file.read_text()) if file.is_file() else {}


def as_the_stack_runs(chosen: LensSettings, stack: dict[str, Any]) -> LensSettings:
    """The settings with the running stack's market, and its simulators where that is the market; the environment's word wins."""
    market = chosen.market if _is_set("market") else stack.get("market", chosen.market)
    found = {"market": market}
    if market == stack.get("market"):
        simulators = stack.get("simulators", {})
        found |= {"hyperliquid_url": simulators.get("exchange"), "sandbox_llm_url": simulators.get("llm")}
        # What the simulators' models call a key: commands in another shell ask them too.
        for name, value in stack.get("keys", {}).items():
            os.environ.setdefault(name, value)
    return chosen.model_copy(update={name: value for name, value in found.items() if value and not _is_set(name)})


def _is_set(name: str) -> bool:
    return bool(os.environ.get(f"{PREFIX}{name.upper()}"))
