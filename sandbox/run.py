"""The one-command stack: `python -m sandbox.run [--demo] [--no-sample] [--once]`, behind `make run` and `make demo`.

Starts everything, shows where it is, sends one sample signal and prints what becomes of it, serves until Ctrl-C or SIGTERM,
and stops everything. A second start on the same data directory only shows the facts again.
"""

import argparse
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from sandbox.lock import AlreadyRunningError
from sandbox.plan import manage
from sandbox.stack import STACK_TROUBLE, Stack, facts_file
from sandbox.supervisor import HaltedError, StartError

TRICKLE_S = 3
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_log = logging.getLogger("lens")


def main(arguments: list[str]) -> int:
    """The exit code: 0 for served and stopped, or already running; 1 when the stack could not be started."""
    logging.basicConfig(level=logging.INFO, format="lens: %(message)s", stream=sys.stdout)
    options = _parse(arguments)
    try:
        return _serve(Stack(), options)
    except HaltedError:
        return 0
    except STACK_TROUBLE as error:
        print(f"lens: {error}", file=sys.stderr)
        return 1


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.run", description="Lens on one machine, everything included.")
    parser.add_argument("--demo", action="store_true", help=f"keep sending a signal every {TRICKLE_S} s")
    parser.add_argument("--no-sample", action="store_true", help="do not send the sample signal")
    parser.add_argument("--once", action="store_true", help="stop after the sample; the exit code is the sample's")
    parser.add_argument("--with-parent", action="store_true", help="stop when the parent process ends, however it ends")
    return parser.parse_args(arguments)


def _serve(stack: Stack, options: argparse.Namespace) -> int:
    for number in SIGNALS:
        signal.signal(number, lambda *_: stack.supervisor.halt())
    parent = os.getppid() if options.with_parent else None
    began = time.monotonic()
    _log.info("starting …")
    try:
        with stack:
            print(summary(stack.facts, stack.plan.data_dir, f"ready in {time.monotonic() - began:.1f} s"), flush=True)
            code = _use(stack, options, parent)
            _log.info("stopping …")
    except AlreadyRunningError:
        return _show_running(stack.plan.data_dir)
    return code


def _use(stack: Stack, options: argparse.Namespace, parent: int | None) -> int:
    code = 0 if options.no_sample or not stack.facts["api_key"] else _sample(stack)
    if options.once:
        return code
    if options.demo:
        every = f"send_signal --sample --follow --every {TRICKLE_S}"
        stack.supervisor.launch(manage("demo", every, stack.env, terminal=True))
    print("Serving; Ctrl-C stops everything.", flush=True)
    while not stack.supervisor.halted.wait(0.5):
        if parent is not None and os.getppid() != parent:
            _log.info("the process that started this one is gone")
            break
    return 0


def _sample(stack: Stack) -> int:
    print("One sample signal, and what becomes of it:", flush=True)
    try:
        stack.supervisor.run(manage("sample", "send_signal --sample --follow", stack.env, terminal=True))
    except StartError as error:
        _log.error("%s; the logs in %s say why", error, stack.supervisor.log_dir)
        return 1
    print(flush=True)
    return 0


def _show_running(data_dir: Path) -> int:
    file = facts_file(data_dir)
    if file.exists():
        print(summary(json.loads(file.read_text()), data_dir, "already running, nothing new was started"))
    else:
        print(f"Lens is starting or stopping in {data_dir}; nothing new was started.")
    return 0


def summary(facts: dict[str, Any], data_dir: Path, how: str) -> str:
    """The facts of a stack for a person."""
    admin = facts["admin"] or {}
    rows = {
        "Pages": f"{facts['http']}/" + (f"   log in as {admin['user']} / {admin['password']}" if admin else ""),
        "Admin": f"{facts['http']}/admin/",
        "REST": f"{facts['http']}/api/v1",
        "Decisions": ", ".join(f"{url}/ws/decisions" for url in facts["ws"]),
        "API key": facts["api_key"] or "make one with: manage.py create_api_key NAME --scopes …",
        "Logs": f"{data_dir}/log",
    }
    return f"\nLens, {facts['market']} market: {how}\n\n" + "".join(f"  {name:<10} {what}\n" for name, what in rows.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
