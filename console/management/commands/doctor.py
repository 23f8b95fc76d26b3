"""`manage.py doctor`: what is wrong with this installation, and how to mend it."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from console.doctor import examine
from core.commands import DOWN, SOME_FAILED, HouseCommand


class Command(HouseCommand):
    """Exit 0 when all is well, 4 when a dependency is down, 1 when something else is wrong."""

    help = "Look at every part this installation rests on and say how to mend what is wrong."

    def handle(self, *args: Any, **options: Any) -> None:
        found = list(self.shown(examine(), None, "checks"))
        lines = [f"{one.state:<6} {one.name:<11} {one.seen}" + (f"\n{'':<19}→ {one.mend}" if one.mend else "") for one in found]
        self.answer(options, {"findings": [asdict(one) for one in found]}, "\n".join(lines))
        states = {one.state for one in found}
        if "down" in states:
            raise CommandError("A dependency is down.", returncode=DOWN)
        if "wrong" in states:
            raise CommandError("Something is wrong.", returncode=SOME_FAILED)
