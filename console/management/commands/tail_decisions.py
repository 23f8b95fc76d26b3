"""`manage.py tail_decisions`: the decision stream on a terminal, read as a socket reads it, straight from the log."""

import argparse
import asyncio
import json
import os
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error
from pydantic import ValidationError

from console.lines import line
from core.clock import now
from core.commands import REFUSED, HouseCommand
from publishing import selectors, stream
from publishing.operations import LARGEST_SEQ, Since, parse_filter
from publishing.subscriptions import Chain, Filter
from publishing.tail import in_thread

NEWEST = 10
PAGE = 200
# A wake-up may be lost.
TICK_S = 1.0
RETRY_S = 1.0
FILTERS = ("symbol", "model", "kind", "event_type")


class Command(HouseCommand):
    """Ends with 0 on Ctrl-C and when whoever reads its output has gone."""

    help = "Print the decision stream: the newest frames, then whatever comes. With --json one frame a line."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--since", type=int, metavar="SEQ", help=f"every frame after this one (default: the newest {NEWEST})")
        for name in FILTERS:
            parser.add_argument(f"--{name.replace('_', '-')}", action="append", help="may be repeated (default: all)")
        parser.add_argument("--follow", action=argparse.BooleanOptionalAction, default=True, help="wait for more")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            wanted = _filter(options)
            chain = self._start(wanted, options["since"])
            asyncio.run(self._print(wanted, chain, options))
        except KeyboardInterrupt:
            return
        except BrokenPipeError:
            # Python would complain when it flushes what nobody reads.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _start(self, wanted: Filter, since: int | None) -> Chain:
        """Where to begin. Raises CommandError for a seq that the log has not reached."""
        if since is None:
            log, start = selectors.start_of_newest(wanted, NEWEST)
            return Chain(start, snapshot_until=log.head)
        if not 0 <= since <= LARGEST_SEQ:
            raise CommandError("--since: give a seq, 0 or more.", returncode=REFUSED)
        log = selectors.log()
        if since > log.head:
            raise CommandError(f"--since: the log ends at {log.head}.", returncode=REFUSED)
        if log.lost(Since(seq=since)):
            self.stderr.write(f"Frames up to {log.horizon} are no longer kept.")
        return Chain(max(since, log.horizon), snapshot_until=log.head)

    async def _print(self, wanted: Filter, chain: Chain, options: dict[str, Any]) -> None:
        woken = asyncio.Event()
        listening = asyncio.create_task(stream.listen(woken.set)) if options["follow"] else None
        try:
            while True:
                woken.clear()
                full = await self._page(wanted, chain, options)
                if not (full or options["follow"]):
                    return
                if not full:
                    await _doze(woken)
        finally:
            if listening is not None:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    async def _page(self, wanted: Filter, chain: Chain, options: dict[str, Any]) -> bool:
        """Print what follows; whether there may be more at once. While following, a database that is away is waited for."""
        try:
            reading = await in_thread(selectors.read, chain.cursor, PAGE, wanted)
        except Error:
            if not options["follow"]:
                raise
            self.stderr.write("The database does not answer; waiting for it.")
            await asyncio.sleep(RETRY_S)
            return False
        for frame in reading.frames:
            text = chain.send(frame, now())
            self.stdout.write(text if options["json"] else line(json.loads(text)))
        self.stdout.flush()
        if len(reading.frames) < PAGE:
            chain.cursor = reading.log.head
        return len(reading.frames) == PAGE


def _filter(options: dict[str, Any]) -> Filter:
    """Raises CommandError naming the option."""
    try:
        wanted = parse_filter({name: options[name] for name in FILTERS if options[name]})
    except ValidationError as error:
        faults = [f"--{str(item['loc'][0]).replace('_', '-')}: {item['msg']}" for item in error.errors()]
        raise CommandError("\n".join(faults), returncode=REFUSED) from error
    if wanted.model and (strangers := wanted.strangers(selectors.known_models())):
        raise CommandError(f"--model: no such model: {', '.join(strangers)}", returncode=REFUSED)
    return Filter.of(wanted, frozenset())


async def _doze(woken: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(TICK_S):
            await woken.wait()
    except TimeoutError:
        return
