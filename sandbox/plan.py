"""What the stack consists of: the environment its processes get, and every process as a row of one table."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.kept import LOOPBACK, Kept, port_is_free
from sandbox.probes import Probe, answers, listens, running
from sandbox.process import Process

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
SANDBOX = "sandbox"
SANDBOX_KEY = "LENS_SANDBOX_API_KEY"
# What one kind of process is given beside the common environment, unless a person said otherwise. Hundreds of threads share a pool:
# each waits longer for its turn, and the C library keeps two heaps for all of them instead of one for each that allocates.
OWN = {"worker-evaluate": {"DATABASE_POOL_WAIT_S": "20", "MALLOC_ARENA_MAX": "2"}}
INGEST_READY = "/ready?role=ingest"
ANY_HOST = {"0.0.0.0": LOOPBACK, "::": "::1"}


class SetupError(Exception):
    """The environment does not allow a start; the message names the variable to change."""


@dataclass(frozen=True)
class Plan:
    """What a person may choose, read from the environment."""

    data_dir: Path
    market: str
    host: str
    http_port: int
    ws_ports: tuple[int, ...]
    web_workers: int
    evaluate_threads: int
    metrics_port: int | None = None

    @property
    def knock(self) -> str:
        """The host under which the servers can be reached from here."""
        return ANY_HOST.get(self.host, self.host)


def read_plan(environ: Mapping[str, str]) -> Plan:
    """Raises SetupError when a number is none."""
    first_ws = _number(environ, "LENS_WS_PORT", 8001)
    data_dir = Path(environ.get("LENS_DATA_DIR") or ".lens")
    return Plan(
        data_dir=data_dir if data_dir.is_absolute() else ROOT / data_dir,
        market=environ.get("LENS_MARKET") or SANDBOX,
        host=environ.get("LENS_HTTP_HOST") or LOOPBACK,
        http_port=_number(environ, "LENS_HTTP_PORT", 8000),
        ws_ports=tuple(first_ws + k for k in range(_number(environ, "LENS_WS_PROCESSES", 1))),
        web_workers=_number(environ, "LENS_WEB_PROCESSES", 1),
        evaluate_threads=_number(environ, "LENS_EVALUATE_THREADS", 240),
        metrics_port=_number(environ, "LENS_METRICS_PORT", 0) if environ.get("LENS_METRICS_PORT") else None,
    )


def without_files(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with the launcher's own secrets read from the files that `…_FILE` names. Raises SetupError."""
    found = dict(environ)
    for variable in ("DATABASE_URL", "REDIS_URL", "DJANGO_SECRET_KEY"):
        place = found.pop(f"{variable}_FILE", "")
        if place and found.get(variable):
            raise SetupError(f"{variable} and {variable}_FILE are both set; keep one of them.")
        if place:
            found[variable] = _text(Path(place), f"{variable}_FILE")
    return found


def _text(file: Path, variable: str) -> str:
    try:
        text = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{variable}: {str(file)!r} cannot be read: {error}.") from None
    if not text:
        raise SetupError(f"{variable}: {str(file)!r} is empty.")
    return text


def refuse_taken_ports(plan: Plan) -> None:
    """Raises SetupError when a public port is in use: moving to another one silently would surprise whoever calls it."""
    wanted = [("LENS_HTTP_PORT", plan.http_port), *(("LENS_WS_PORT", port) for port in plan.ws_ports)]
    wanted += [("LENS_METRICS_PORT", plan.metrics_port)] if plan.metrics_port else []
    for variable, port in wanted:
        if not port_is_free(plan.host, port):
            raise SetupError(f"Port {port} on {plan.host} is in use by another program. Stop it, or set {variable} to a free port.")


def refuse_another_market(plan: Plan, kept: Kept, last_run: Path) -> None:
    """Raises SetupError when the directory holds decisions of another market: simulated ones must not pass for real ones.

    A directory from before this was kept is of the market that its last run told, if that run could not tidy up.
    """
    told = json.loads(last_run.read_text()).get("market") if last_run.exists() else None
    known = kept.market or told
    if known not in {None, plan.market}:
        raise SetupError(
            f"{plan.data_dir} holds decisions of the {known} market, and those of {plan.market} must not be mixed with them. "
            f"Set LENS_DATA_DIR to a directory for {plan.market}, or LENS_MARKET to {known}."
        )


def environment(environ: Mapping[str, str], plan: Plan, kept: Kept) -> dict[str, str]:
    """The environment of every process of the product, but for the addresses of servers and simulators."""
    chosen = {
        "LENS_DATA_DIR": str(plan.data_dir),
        "LENS_MARKET": plan.market,
        "PROMETHEUS_MULTIPROC_DIR": str(plan.data_dir / "metrics"),
        "PYTHONUNBUFFERED": "1",
    }
    if plan.market == SANDBOX:
        chosen[SANDBOX_KEY] = SANDBOX
    if environ.get("PYTHONDONTWRITEBYTECODE"):
        # Compiling everything in every process triples the start. The wish is for a clean tree, and that is kept.
        chosen |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(plan.data_dir / "bytecode")}
    defaults = {
        "DJANGO_SECRET_KEY": kept.secret("django"),
        "DJANGO_SETTINGS_MODULE": "lens_project.settings.local",
        "DATABASE_POOL_SIZE": "16",
    }
    return {**environ, **chosen, **{name: environ.get(name) or value for name, value in defaults.items()}}


def simulators(plan: Plan, kept: Kept, environ: Mapping[str, str]) -> dict[str, tuple[str, Process]]:
    """Variable → (URL, process) of each simulator the sandbox market needs and the environment does not name already."""
    modules = {"LENS_HYPERLIQUID_URL": "exchange", "LENS_SANDBOX_LLM_URL": "llm"} if plan.market == SANDBOX else {}
    found = {}
    for variable, module in modules.items():
        if not environ.get(variable):
            port = kept.port(module)
            argv = [PYTHON, "-m", f"sandbox.{module}", "--host", LOOPBACK, "--port", str(port)]
            process = Process(name=module, argv=argv, env=environ, cwd=ROOT, ready=listens(LOOPBACK, port))
            found[variable] = (f"http://{LOOPBACK}:{port}", process)
    return found


def product(plan: Plan, env: Mapping[str, str]) -> list[Process]:
    """The processes of the product itself, started side by side."""

    def row(name: str, command: str, *, ready: Probe = running, grace: float = 10.0) -> Process:
        argv = [PYTHON, "-m", *command.split()]
        # Those who answer people check a connection before they use it; the others retry instead.
        checked = {"DATABASE_HEALTH_CHECKS": "1"} if name.startswith(("web-", "ws-")) else {}
        given = {**OWN.get(name, {}), **env, **checked}
        return Process(name=name, argv=argv, env=given, cwd=ROOT, ready=ready, ready_within=90.0, grace=grace)

    granian = (
        f"granian --interface wsgi --host {plan.host} --port {plan.http_port} --workers {plan.web_workers} --blocking-threads 8"
        " --no-ws --respawn-failed-workers --log-level warning --workers-kill-timeout 8 lens_project.wsgi:application"
    )
    daphne = (
        f"daphne -b {plan.host} -p {{port}} --websocket_timeout -1 --ping-interval 20 --ping-timeout 30"
        " --websocket-max-message-size 16384 --websocket-max-frame-size 16384 --application-close-timeout 5"
        f" --no-server-name -v 0 --access-log {os.devnull} lens_project.asgi:application"
    )
    celery = "celery -A lens_project"
    worker = f"{celery} worker -l WARNING --without-gossip --without-mingle --without-heartbeat --pool threads"
    # A worker finishes the calls it has begun before it stops; a model call takes at most 20 s.
    call = 25.0
    return [
        row("web-0", granian, ready=answers(plan.knock, plan.http_port, INGEST_READY)),
        *(
            row(f"ws-{k}", daphne.format(port=port), ready=answers(plan.knock, port, INGEST_READY))
            for k, port in enumerate(plan.ws_ports)
        ),
        row("worker-evaluate", f"{worker} -Q evaluate --concurrency {plan.evaluate_threads} -n evaluate@%h", grace=call),
        row("worker-core", f"{worker} -Q enrich,publish,control --concurrency 8 -n core@%h", grace=call),
        # A post under way takes at most 15 s.
        row("webhooks", "manage deliver_webhooks", grace=20.0),
        row("beat", f"{celery} beat -l WARNING --pidfile= -s {plan.data_dir}/run/beat-schedule"),
        *([row("metrics", "django serve_metrics", ready=listens(plan.knock, plan.metrics_port))] if plan.metrics_port else []),
    ]


def manage(name: str, command: str, env: Mapping[str, str], *, terminal: bool = False) -> Process:
    """`manage.py command` as a process called `name`."""
    argv = [PYTHON, "manage.py", *command.split()]
    return Process(name=name, argv=argv, env=env, cwd=ROOT, terminal=terminal, grace=3.0)


def _number(environ: Mapping[str, str], variable: str, default: int) -> int:
    text = environ.get(variable) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise SetupError(f"{variable} is {text!r}; it must be a whole number above zero.")
    return int(text)
