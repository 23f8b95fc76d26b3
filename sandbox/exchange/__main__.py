"""`python -m sandbox.exchange --host 127.0.0.1 --port 0 [--replay DIR] [--seed N]`; SIGTERM ends it at once."""

import argparse
import asyncio
import signal
from pathlib import Path

from aiohttp import web

from sandbox.exchange.app import VENUE, create_app


def arguments() -> argparse.ArgumentParser:
    """Command-line arguments. Port 0 picks a free one."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.exchange", description="A Hyperliquid /info simulator.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--replay", type=Path, help="serve the recordings in this folder")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another market")
    return parser


async def serve(host: str, port: int, app: web.Application) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are cut off."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    print(f"listening on http://{host}:{runner.addresses[0][1]}", flush=True)
    for fact in app[VENUE].facts():
        print("  ".join(f"{key}={value}" for key, value in fact.items()), flush=True)
    await stop.wait()
    await runner.cleanup()


def main() -> None:
    """Entry point."""
    parser = arguments()
    options = parser.parse_args()
    try:
        app = create_app(options.replay, options.seed)
    except ValueError as error:
        parser.error(str(error))
    asyncio.run(serve(options.host, options.port, app))


if __name__ == "__main__":
    main()
