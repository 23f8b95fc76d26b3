"""The whole product on one machine, ready to use.

    with Stack(environ) as stack:
        stack.facts["http"], stack.facts["api_key"], stack.process("web-0").pid

Order: servers and simulators → migrations → web, sockets, workers, beat (and, beside them, the demo credentials) → `/ready`.
The addresses and the demo key are left in `run/stack.json` (mode 0600), where `manage.py` finds them.
"""

import json
import logging
import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from sandbox import schema
from sandbox.kept import Kept, write_private
from sandbox.plan import (
    ROOT,
    SANDBOX,
    SANDBOX_KEY,
    SetupError,
    environment,
    manage,
    product,
    read_plan,
    refuse_another_market,
    refuse_taken_ports,
    simulators,
    without_files,
)
from sandbox.probes import status
from sandbox.process import Child
from sandbox.services import TROUBLE, prepare
from sandbox.supervisor import Supervisor

WHOLE_WITHIN_S = 90.0
STACK_TROUBLE = (*TROUBLE, SetupError)
_log = logging.getLogger(__name__)


class Stack:
    """A context; the environment decides everything (`LENS_*`, `DATABASE_URL`, `REDIS_URL`)."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        """Raises SetupError when the environment makes no sense."""
        self._environ = without_files(os.environ if environ is None else environ)
        self.plan = read_plan(self._environ)
        self.supervisor = Supervisor(self.plan.data_dir)
        self.facts: dict[str, Any] = {}
        self.env: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Returns when `/ready` says so. Raises one of STACK_TROUBLE, or HaltedError, with nothing left running."""
        with ExitStack() as if_it_fails:
            if_it_fails.enter_context(self.supervisor)
            self._start()
            if_it_fails.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._facts_file.unlink(missing_ok=True)
        self.supervisor.stop()

    @property
    def _facts_file(self) -> Path:
        return facts_file(self.plan.data_dir)

    def process(self, name: str) -> Child:
        """`.pid` is the present one, None between two lives. Raises KeyError."""
        return self.supervisor.child(name)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Sends a signal to one process of the stack; the supervisor brings back what ends. Raises KeyError."""
        if pid := self.process(name).pid:
            os.kill(pid, number)

    def _start(self) -> None:
        kept = Kept(self.plan.data_dir)
        refuse_another_market(self.plan, kept, self._facts_file)
        self._facts_file.unlink(missing_ok=True)
        refuse_taken_ports(self.plan)
        shutil.rmtree(self.plan.data_dir / "metrics", ignore_errors=True)
        (self.plan.data_dir / "metrics").mkdir(mode=0o700)
        embedded = self._start_the_world(kept)
        self._migrate(embedded)
        kept.keep_market(self.plan.market)
        processes = product(self.plan, self.env)
        self.supervisor.launch(*processes)
        if self.plan.market == SANDBOX:
            self._bootstrap()
        self.supervisor.await_ready(*processes)
        self.supervisor.wait_until(self._whole, WHOLE_WITHIN_S, "a /ready of 200")
        write_private(self._facts_file, json.dumps(self.facts, indent=2))

    def _start_the_world(self, kept: Kept) -> bool:
        """Servers and simulators side by side. True when the database is ours."""
        servers = prepare(self.plan.data_dir, kept, self._environ)
        self.env = environment(self._environ, self.plan, kept)
        played = simulators(self.plan, kept, self.env)
        self.env |= {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
        self.env |= {variable: url for variable, (url, _) in played.items()}
        self.facts = self._addresses()
        self.supervisor.start(*servers.processes, *(process for _, process in played.values()))
        return any(process.name == "postgres" for process in servers.processes)

    def _addresses(self) -> dict[str, Any]:
        host = f"[{self.plan.knock}]" if ":" in self.plan.knock else self.plan.knock
        return {
            "http": f"http://{host}:{self.plan.http_port}",
            "ws": [f"ws://{host}:{port}" for port in self.plan.ws_ports],
            "database": self.env["DATABASE_URL"],
            "redis": self.env["REDIS_URL"],
            "simulators": self._simulators(),
            "market": self.plan.market,
            "keys": {SANDBOX_KEY: self.env[SANDBOX_KEY]} if SANDBOX_KEY in self.env else {},
            "secret_key": self.env["DJANGO_SECRET_KEY"],
            "api_key": None,
            "admin": None,
        }

    def _simulators(self) -> dict[str, str]:
        if self.plan.market != SANDBOX:
            return {}
        return {"exchange": self.env["LENS_HYPERLIQUID_URL"], "llm": self.env["LENS_SANDBOX_LLM_URL"]}

    def _migrate(self, embedded: bool) -> None:
        database = self.env["DATABASE_URL"]
        if embedded and schema.is_marked(database, ROOT):
            return
        _log.info("migrating the database")
        self.supervisor.run(manage("migrate", "migrate --no-input --verbosity 1", self.env))
        if embedded:
            schema.mark(database, ROOT)

    def _bootstrap(self) -> None:
        answer = json.loads(self.supervisor.run(manage("bootstrap", "bootstrap_demo --json", self.env)).splitlines()[-1])
        # What it said is a key and a password: their place is the private file, not a log.
        (self.supervisor.log_dir / "bootstrap.log").unlink()
        self.facts["api_key"] = answer["api_key"]
        self.facts["admin"] = {"user": answer["admin_user"], "password": answer["admin_password"]}

    def _whole(self) -> bool:
        return status(self.plan.knock, self.plan.http_port, "/ready") == 200


def facts_file(data_dir: Path) -> Path:
    """Where a running stack leaves its facts."""
    return data_dir / "run" / "stack.json"
