"""`manage.py new_epoch`: a new identity for the log, after a restore or a failover that may have lost its newest frames."""

from typing import Any

from core.commands import HouseCommand
from publishing.head import renew
from publishing.models import StreamHead


class Command(HouseCommand):
    """Executors that come back with the old identity hear `resync` instead of resuming into a log that is not the one they knew."""

    help = "Give the decision stream a new identity, before anything is started on a restored database."
    changes = True

    def handle(self, *args: Any, **options: Any) -> None:
        head = StreamHead.objects.first()
        before, seq = (head.epoch, head.last_seq) if head else (None, 0)
        renewed = None
        if self.may(options, f"Make every executor resync? The log ends at seq {seq}."):
            before, renewed = renew()
        facts = {"epoch": renewed or before, "before": before, "head_seq": seq, "dry_run": options["dry_run"]}
        done = f"The log is {renewed} now, it was {before}" if renewed else f"The log stays {before}"
        self.answer(options, facts, f"{done}; it ends at seq {seq}.")
