"""The venue's time: the real clock, moved by an offset or stopped, so a test decides what `now` means."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

BLOCK_MS = 100


class ClockSetting(BaseModel):
    """Either `offset_s` (seconds added to the real clock) or `frozen_at` (an aware instant at which time stands still)."""

    model_config = ConfigDict(extra="forbid")

    offset_s: Annotated[float, Field(ge=-1e9, le=1e9)] | None = None
    frozen_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "ClockSetting":
        if (self.offset_s is None) == (self.frozen_at is None):
            raise ValueError("set either offset_s or frozen_at")
        return self


class VenueClock:
    """Milliseconds since the epoch, in steps of one block: within a block every answer shows the same market."""

    def __init__(self) -> None:
        self.setting = ClockSetting(offset_s=0.0)

    def now_ms(self) -> int:
        """The current block's time."""
        if self.setting.frozen_at is not None:
            return round(self.setting.frozen_at.timestamp() * 1000)
        at_ms = int((time.time() + (self.setting.offset_s or 0.0)) * 1000)
        return at_ms // BLOCK_MS * BLOCK_MS

    def facts(self) -> dict[str, Any]:
        """The setting and what it makes of now."""
        now_ms = self.now_ms()
        return {
            "now": datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "now_ms": now_ms,
            **self.setting.model_dump(mode="json"),
        }
