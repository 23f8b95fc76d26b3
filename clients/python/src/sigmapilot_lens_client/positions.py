"""Where the last acknowledged position is kept between runs."""

import json
import os
import threading
from pathlib import Path
from typing import Protocol

from sigmapilot_lens_client.frames import Position


class Positions(Protocol):
    """Anything that keeps one position. Called in a thread of its own, so it may block."""

    def load(self) -> Position | None:
        """The position, or None when there is none yet."""

    def save(self, position: Position) -> None:
        """Keep it, durably before this returns."""


class MemoryPositions:
    """For as long as the process lives: a restarted one begins at the head."""

    def __init__(self, position: Position | None = None) -> None:
        self.position = position

    def load(self) -> Position | None:
        return self.position

    def save(self, position: Position) -> None:
        self.position = position


class FilePositions:
    """A small JSON file, replaced whole and synced: a crash leaves the old position or the new one, never half of one."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        # A save whose caller gave it up still runs in its thread.
        self._one_at_a_time = threading.Lock()

    def load(self) -> Position | None:
        """Raises ValueError for a file that is no position: guessing would repeat or lose frames."""
        try:
            kept = json.loads(self._path.read_text())
            return Position(str(kept["epoch"]), int(kept["seq"]))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{self._path} holds no position: {error}") from error

    def save(self, position: Position) -> None:
        with self._one_at_a_time:
            beside = self._path.with_name(self._path.name + ".new")
            with beside.open("w") as file:
                json.dump({"epoch": position.epoch, "seq": position.seq}, file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
            directory = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
