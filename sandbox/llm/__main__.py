"""`python -m sandbox.llm --host 127.0.0.1 --port N [--latency SECONDS]`: serve until SIGTERM or SIGINT, then end at once."""

import argparse
import asyncio
import signal

from aiohttp import web

from sandbox.llm.app import make_app

LAST_WORDS_S = 0.1


async def serve(host: str, port: int, latency: float) -> None:
    """Prints the address once it answers; port 0 takes a free one."""
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    runner = web.AppRunner(make_app(latency), access_log=None, shutdown_timeout=LAST_WORDS_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        print(f"listening on http://{host}:{runner.addresses[0][1]}", flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="sandbox.llm", description="A local stand-in for model vendors.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.host, arguments.port, arguments.latency))


if __name__ == "__main__":
    main()
