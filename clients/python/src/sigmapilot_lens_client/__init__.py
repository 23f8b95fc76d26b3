"""Follow the decision stream of SigmaPilot Lens: each frame once, in order, across restarts of either side."""

from sigmapilot_lens_client.client import LensClient, Options, RefusedError
from sigmapilot_lens_client.frames import Chain, Filter, Frame, Gap, Position
from sigmapilot_lens_client.positions import FilePositions, MemoryPositions, Positions
from sigmapilot_lens_client.waiting import iterate

__all__ = [
    "Chain",
    "FilePositions",
    "Filter",
    "Frame",
    "Gap",
    "LensClient",
    "MemoryPositions",
    "Options",
    "Position",
    "Positions",
    "RefusedError",
    "iterate",
]
