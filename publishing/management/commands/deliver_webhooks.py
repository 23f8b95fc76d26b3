"""`manage.py deliver_webhooks`: posts frames to webhook endpoints. Any number may run; each endpoint has one courier."""

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand

from publishing.webhooks.courier import serve


class Command(BaseCommand):
    """Serves until SIGTERM or Ctrl-C, which let posts under way end."""

    help = "Deliver the stream to webhook endpoints until stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(_serve())


async def _serve() -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await serve(stopped)
