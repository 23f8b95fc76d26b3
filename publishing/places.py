"""The places of durable consumers as this process last heard of them. Acknowledgements come by the frame, writes by the second."""

import asyncio
import logging

from django.db import Error

from publishing import positions
from publishing.operations import Since
from publishing.positions import Reader
from publishing.tail import in_thread

logger = logging.getLogger(__name__)

EVERY_S = 1.0


class Places:
    """What has yet to be written. A crash loses at most a second of acknowledgements: those frames come once more."""

    def __init__(self) -> None:
        self._marks: dict[Reader, Since] = {}

    def mark(self, reader: Reader, at: Since) -> None:
        """The reader has come this far; the table makes sure that it never goes back."""
        held = self._marks.get(reader)
        if held is None or held.epoch != at.epoch or held.seq < at.seq:
            self._marks[reader] = at

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self._write(dict(self._marks))

    async def keep(self, reader: Reader) -> None:
        """Write one reader's place now, if it moved."""
        if reader in self._marks:
            await self._write({reader: self._marks[reader]})

    async def _write(self, marks: dict[Reader, Since]) -> None:
        try:
            await in_thread(positions.keep, marks)
        except Error as error:
            logger.warning("places of consumers wait for the database", extra={"error": str(error)})
            return
        for reader, written in marks.items():
            if self._marks.get(reader) == written:
                del self._marks[reader]
