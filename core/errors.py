"""The three kinds of failure, sorted by what happens next rather than by where they came from.

| kind      | what it says                    | what follows (core/retry.py)   |
|-----------|---------------------------------|--------------------------------|
| Rejected  | this signal must not go further | status rejected, no retry      |
| Transient | the world may be better soon    | retry as a row, then give up   |
| Permanent | trying again cannot help        | give up at once                |

Anything else that is raised is a bug and gives up at once, its traceback kept. `code` is a stable word for machines, `detail` one
sentence for people, `facts` the numbers behind it (JSON-safe).
"""

from typing import Any


class LensError(Exception):
    """A failure with a stable code."""

    def __init__(self, code: str, detail: str, **facts: Any) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.facts = facts


class Rejected(LensError):
    """A result, not a fault: the signal is too old, has drifted, names an unknown coin."""


class Permanent(LensError):
    """Trying again cannot help: a broken profile, a refused key, a malformed payload of our own making."""


class Transient(LensError):
    """The other side may recover; `retry_after` is its own wish in seconds, when it stated one."""

    def __init__(self, code: str, detail: str, *, retry_after: float | None = None, **facts: Any) -> None:
        super().__init__(code, detail, **facts)
        self.retry_after = retry_after
