"""For programs without an event loop: the same stream as an ordinary iterator."""

import asyncio
from collections.abc import Iterator

from sigmapilot_lens_client.client import LensClient
from sigmapilot_lens_client.frames import Frame


def iterate(client: LensClient) -> Iterator[Frame]:
    """The client's frames. Nothing happens between two of them, so a long pause may cost the connection, but never a frame."""
    with asyncio.Runner() as runner:
        try:
            while True:
                yield runner.run(client.__anext__())
        finally:
            runner.run(client.close())
