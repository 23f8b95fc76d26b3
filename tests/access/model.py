"""The limiter as anybody would write it down: keep every accepted time, count those inside, in whole microseconds."""

from access.windows import MICROSECONDS, Window


class Model:
    """One identity. A request is inside a window for less than its span."""

    def __init__(self, asked: tuple[Window, ...]) -> None:
        self.asked = asked
        self.accepted: dict[str, int] = {}

    def room(self, at: int) -> bool:
        """Whether a new request would be accepted at that time."""
        return all(self.held(window, at) < window.limit for window in self.asked)

    def held(self, window: Window, at: int) -> int:
        return sum(at - window.span_s * MICROSECONDS < taken <= at for taken in self.accepted.values())

    def charge(self, token: str, at: int) -> bool:
        longest = max(window.span_s for window in self.asked) * MICROSECONDS
        known = token in self.accepted and self.accepted[token] > at - longest
        if not known and self.room(at):
            self.accepted[token] = at
            return True
        return known

    def refund(self, token: str) -> None:
        self.accepted.pop(token, None)
