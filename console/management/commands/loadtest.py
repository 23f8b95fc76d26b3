"""`manage.py loadtest`: an open-loop load on the running stack, every signal accounted for."""

import asyncio
import json
from collections import Counter
from typing import Any

import aiohttp
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from console.load import Run, drive, quantile

SHARES = (0.5, 0.95, 0.99)


class Command(BaseCommand):
    """Sends at times fixed in advance, listens on the socket, prints what came of it."""

    help = "Send RATE signals a second for SECONDS to the running stack; exit 1 when one of them got no verdict."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rate", type=float, default=5, help="signals a second (5)")
        parser.add_argument("--seconds", type=float, default=10, help="for so long (10)")
        parser.add_argument("--key", help="API key without limits of its own (default: the demo key of the running stack)")
        parser.add_argument("--yes", action="store_true", help="needed outside the sandbox: every signal is judged by every model")
        parser.add_argument("--json", action="store_true")

    def handle(self, *_: Any, **options: Any) -> None:
        stack = {**settings.STACK, **({"api_key": options["key"]} if options["key"] else {})}
        if not stack.get("http") or not stack.get("api_key"):
            raise CommandError("No running stack was found; start one with `make run`.", returncode=4)
        if not stack.get("simulators") and not options["yes"]:
            raise CommandError("This is no sandbox: the models' answers cost money. Say --yes.", returncode=2)
        try:
            run = asyncio.run(drive(stack, options["rate"], options["seconds"]))
        except (aiohttp.ClientError, OSError) as error:
            raise CommandError(f"The stack did not answer: {error}", returncode=4) from error
        found = _report(run)
        self.stdout.write(json.dumps(found) if options["json"] else _lines(found))
        if found["without_verdict"] or found["refused"]:
            raise CommandError(run.refused[0] if run.refused else "Some signals got no verdict.", returncode=1)


def _report(run: Run) -> dict[str, Any]:
    """Seconds throughout; counts by what the verdicts said."""
    return {
        "planned": run.planned,
        "accepted": len(run.accepted),
        "refused": len(run.refused),
        "without_verdict": len(run.accepted) - len(run.verdicts),
        "verdicts_per_s": round(run.per_second, 2),
        "ends": dict(sorted(Counter(run.ends.values()).items())),
        "acknowledged_s": _quantiles(sorted(run.acknowledged)),
        "end_to_end_s": _quantiles(run.latencies),
    }


def _quantiles(values: list[float]) -> dict[str, float] | None:
    return {f"p{share * 100:g}": round(quantile(values, share), 4) for share in SHARES} if values else None


def _lines(found: dict[str, Any]) -> str:
    return "\n".join(f"{name.replace('_', ' '):<16} {_shown(value)}" for name, value in found.items())


def _shown(value: Any) -> str:
    return "  ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, dict) else str(value)
