"""`manage.py show_event`: everything known about one signal, for people to read or as JSON."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from console import detail
from core.commands import REFUSED, SOME_FAILED, HouseCommand
from enrichment import selectors
from signals.models import Signal


class Command(HouseCommand):
    """What the API tells of a signal, with the payload its models read and where each number came from."""

    help = "Show a signal: where it stands, its timeline, the market frozen beside it, its decisions and verdict."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("event_id")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            known = _known(UUID(options["event_id"]))
        except ValueError as error:
            raise CommandError(f"{options['event_id']!r} is not an event id.", returncode=REFUSED) from error
        except Signal.DoesNotExist as error:
            raise CommandError(f"There is no event {options['event_id']}.", returncode=SOME_FAILED) from error
        self.answer(options, known, "\n".join(_lines(known)))


def _known(event_id: UUID) -> dict[str, Any]:
    signal = Signal.objects.get(pk=event_id)
    known, frozen = detail.whole(signal, with_payload=True), selectors.for_signal(signal)
    if frozen is not None:
        known["enrichment"] |= {"payload": json.loads(frozen.payload), "provenance": frozen.provenance}
    return known


def _lines(known: dict[str, Any]) -> Iterator[str]:
    wanted = f"{known['signal_direction']} {known['size']} {known['symbol']} at {known['entry_price']}"
    yield f"{known['event_id']}  {known['event_type']}  {wanted}"
    yield f"{known['status']}, stage {known['current_stage']}, {known['duration_ms']} ms since {known['received_at']}"
    yield f"from {known['source']!r}"
    if known["rejection"]:
        yield f"rejected: {_inline(known['rejection'])}"
    yield "\ntimeline"
    for entry in known["timeline"]:
        yield f"  {entry['timestamp']}  {entry['status']:<10} {_inline(entry['details'])}".rstrip()
    if known["enrichment"]:
        yield from _market(known["enrichment"])
    yield "\ndecisions"
    for item in known["decisions"]:
        yield f"  {item['model']:<16} {item['decision']:<13} {_share(item['confidence']):<5} {item['status']}"
    verdict = known["verdict"]
    if verdict:
        yield f"  {'verdict':<16} {verdict['decision']:<13} {_share(verdict['confidence']):<5} {verdict['policy']}"


def _market(frozen: dict[str, Any]) -> Iterator[str]:
    yield f"\nmarket  {frozen['profile']} from {frozen['provider']}, {frozen['duration_ms']} ms, {frozen['payload_bytes']} bytes"
    yield f"  hash     {frozen['payload_hash']}"
    yield f"  quality  {frozen['quality_score']}"
    for kind, flags in frozen["quality_flags"].items():
        yield from (f"  {kind:<16} {flag}" for flag in flags)
    yield "\ntimes of its components"
    for name, at in frozen["provenance"].get("components", {}).items():
        yield f"  {name:<18} true at {at['as_of']}, here at {at['available_at']}, reply {at['reply_sha256'][:12]}"
    yield "\npayload"
    for line in json.dumps(frozen["payload"], indent=2).splitlines():
        yield f"  {line}"


def _inline(value: dict[str, Any]) -> str:
    return "  ".join(f"{name}={item if isinstance(item, str) else json.dumps(item)}" for name, item in value.items())


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
