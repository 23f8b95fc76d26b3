"""What may be done per coin, from `policy.yaml`: shown to the models.

An answer's size is held to it, by `evaluation/guard`; the other limits speak of a whole account and are the executor's to keep.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.canonical import canonical, digest
from enrichment.files import fitted, read_mapping

FILE = Path(__file__).parent / "policy.yaml"


class Constraints(BaseModel):
    """The limits for one coin. Sizes are per cent of the account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_hold_minutes: Annotated[int, Field(ge=0, le=10_080)]
    one_direction_only: bool
    max_trades_per_hour: Annotated[int, Field(ge=0, le=1_000)]
    max_position_size_pct: Annotated[int | float, Field(gt=0, le=100)]
    max_leverage: Annotated[int | float, Field(gt=0, le=100)]


class Policy(BaseModel):
    """Limits for all, and for each coin that differs; a coin takes from the defaults what it does not name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    defaults: Constraints
    coins: dict[str, Constraints]

    @model_validator(mode="before")
    @classmethod
    def _inherit(cls, content: dict[str, Any]) -> dict[str, Any]:
        defaults, coins = content.get("defaults"), content.get("coins")
        if not (isinstance(defaults, dict) and isinstance(coins, dict)):
            return content
        whole = {coin: {**defaults, **own} if isinstance(own, dict) else own for coin, own in coins.items()}
        return {**content, "coins": whole}

    @property
    def version(self) -> str:
        """Changes with any limit."""
        return digest(canonical(self.model_dump(mode="json")))[:12]

    def constraints(self, coin: str) -> Constraints:
        """The limits for a coin as the venue spells it."""
        return self.coins.get(coin, self.defaults)


@cache
def policy() -> Policy:
    """The policy in force. Raises FileFaultError naming file and line."""
    return load(FILE)


def load(path: Path) -> Policy:
    """A policy file. Raises FileFaultError."""
    return fitted(Policy, read_mapping(path), path)
