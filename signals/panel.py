"""Who will judge: a seat that the evaluation storey fills at start, so that lower storeys can ask without looking up."""

from collections.abc import Callable

_seated: list[Callable[[], list[str]]] = []


def seat(select: Callable[[], list[str]]) -> None:
    """Take the selector of enabled models; the last one seated counts."""
    _seated[:] = [select]


def judges() -> list[str]:
    """The names of the models enabled now. Raises RuntimeError when no evaluation storey is installed."""
    if not _seated:
        raise RuntimeError("no panel is seated; is the evaluation app installed?")
    return _seated[0]()
