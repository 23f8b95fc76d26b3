"""Secrets we hand out and never see again: a tag that says what for, a prefix to find the row by, and what nobody can guess.

At rest there is the prefix and `digest(text)`; who shows the text is compared with that in constant time.
"""

import re
import secrets


class Tokens:
    """One kind of them, by its tag."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._shape = re.compile(rf"{tag}_([0-9a-f]{{8}})_[A-Za-z0-9_-]{{43}}")

    def make(self) -> tuple[str, str]:
        """A new prefix, and the text that begins with it."""
        prefix = secrets.token_hex(4)
        return prefix, f"{self._tag}_{prefix}_{secrets.token_urlsafe(32)}"

    def prefix(self, text: str) -> str | None:
        """The prefix in a text that may be one of them; None for any other text, which then need not be looked for."""
        shaped = self._shape.fullmatch(text)
        return shaped and shaped[1]
