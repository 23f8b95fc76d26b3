"""`manage.py new_epoch`: a new identity for the log, after a restore or a failover that may have lost its newest frames."""

from typing import Any

from core.commands import HouseCommand
from publishing.head import ensure_head, renew
from publishing.models import StreamHead


class Command(HouseCommand):
    """Executors that come back with the old identity hear `resync` instead of resuming into a log that is not the one they knew."""

    help = "Give the decision stream a new identity, before anything is started on a restored database."
    changes = True

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_head()
        head = StreamHead.objects.get()
        renewed = None
        if self.may(options, f"Make every executor resync? The log ends at seq {head.last_seq}."):
            renewed = renew()
        facts = {"epoch": renewed or head.epoch, "before": head.epoch, "head_seq": head.last_seq, "dry_run": options["dry_run"]}
        done = f"The log is {renewed} now, it was {head.epoch}" if renewed else f"The log stays {head.epoch}"
        self.answer(options, facts, f"{done}; it ends at seq {head.last_seq}.")
