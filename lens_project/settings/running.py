"""Where the stack runs: from the environment, else from the `run/stack.json` the launcher leaves in the data directory."""

import json
import os
from pathlib import Path
from typing import Any


def running_stack(data_dir: Path) -> dict[str, Any]:
    """The launcher's facts, or nothing when no stack was ever started in this data directory."""
    file = data_dir / "run" / "stack.json"
    return json.loads(file.read_text()) if file.is_file() else {}


def address(variable: str, stack: dict[str, Any], key: str) -> str:
    """A server's URL. Raises KeyError naming the variable when neither the environment nor a running stack has it."""
    url = os.environ.get(variable) or stack.get(key)
    if not url:
        raise KeyError(f"{variable} is not set and no running stack was found; start one with `make run` or set it")
    return str(url)
