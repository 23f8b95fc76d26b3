"""Feature profiles: which timeframes and indicators a signal is shown with. One file each in `profiles/`, named as it is asked for.

`extends: <name>` takes everything of another profile, however long the line of ancestors; what the file itself says wins, mappings
are merged key by key, lists are replaced.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.canonical import canonical, digest
from core.errors import Permanent
from enrichment.files import FileFaultError, fitted, read_mapping
from enrichment.grid import Interval
from enrichment.wanted import IndicatorSet

FOLDER = Path(__file__).parent / "profiles"


class OrderBook(BaseModel):
    """How far from the mid the book is weighed, in per cent, nearest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    depth_pct: Annotated[tuple[Annotated[float, Field(gt=0, le=10)], ...], Field(min_length=1, max_length=4)]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if list(self.depth_pct) != sorted(set(self.depth_pct)):
            raise ValueError("distances must rise")
        return self


class Profile(BaseModel):
    """A resolved profile. `bars` is how many closed candles are asked for per timeframe; `derivatives` asks for funding and open
    interest, `order_book` for the book beyond its touch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    timeframes: Annotated[tuple[Interval, ...], Field(min_length=1, max_length=6)]
    bars: Annotated[int, Field(le=5_000)]
    indicators: IndicatorSet
    derivatives: bool = False
    order_book: OrderBook | None = None

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if len(set(self.timeframes)) != len(self.timeframes):
            raise ValueError("a timeframe is listed twice")
        if self.bars < self.indicators.needs:
            raise ValueError(f"these indicators need at least {self.indicators.needs} bars")
        return self

    @property
    def reaches_bps(self) -> tuple[int, ...]:
        """How far each book that is needed must reach: the touch for the signal's own size, and one for every distance."""
        return () if self.order_book is None else (0, *(round(pct * 100) for pct in self.order_book.depth_pct))

    @property
    def version(self) -> str:
        """Changes with anything that is asked for."""
        return digest(canonical(self.model_dump(mode="json")))[:12]


def profile_named(name: str) -> Profile:
    """The profile of that name, looked up and never made a path. Raises Permanent `unknown_profile`."""
    known = profiles()
    if name not in known:
        raise Permanent("unknown_profile", f"There is no feature profile {name!r}.", known=sorted(known))
    return known[name]


@cache
def profiles() -> Mapping[str, Profile]:
    """Every profile by name. Raises FileFaultError naming file and line."""
    return load(FOLDER)


def load(folder: Path) -> dict[str, Profile]:
    """Every profile of a folder by name. Raises FileFaultError."""
    files = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    return {name: fitted(Profile, {**_resolved(name, files, ()), "name": name}, path) for name, path in files.items()}


def _resolved(name: str, files: Mapping[str, Path], heirs: tuple[str, ...]) -> dict[str, Any]:
    """A file's content over that of its ancestors; `heirs` are the profiles that led here."""
    if name in heirs:
        raise FileFaultError(f"{heirs[-1]}.yaml: extends goes in a circle: {' → '.join((*heirs, name))}")
    if name not in files:
        raise FileFaultError(f"{heirs[-1]}.yaml: extends {name!r}, which does not exist")
    own = read_mapping(files[name])
    if "name" in own:
        raise FileFaultError(f"{name}.yaml: name: a profile is named by its file")
    parent = own.pop("extends", None)
    return own if parent is None else _merged(_resolved(str(parent), files, (*heirs, name)), own)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = {key: _merged(base[key], over[key]) for key in over if isinstance(base.get(key), dict) and isinstance(over[key], dict)}
    return {**base, **over, **both}
