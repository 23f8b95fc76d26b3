"""Wrong files stop a process when it starts, not its first signal."""

import sys

from django.core.checks import run_checks

FILES = "files"


def refuse_faults() -> None:
    """Ends the process, naming each file and line, when a profile, the policy or a released prompt is not as it must be."""
    faults = [fault for fault in run_checks(tags=[FILES]) if fault.is_serious()]
    if faults:
        sys.exit("\n".join(f"{fault.msg} ({fault.id}) {fault.hint}" for fault in faults))
