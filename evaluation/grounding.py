"""Whether a model quotes what stands in its payload: each number cited as evidence is looked up where it is said to stand. Pure.

A number is grounded when the payload's, rounded to the decimals cited, is the same. A field may be named by the end of its path
(`1h.rsi_14`, `rsi_14`); then any field that ends so may hold the number.
"""

from dataclasses import dataclass
from decimal import Decimal

from evaluation.facts import Facts, number
from evaluation.schemas import Answer, Evidence

# Powers of ten beyond which nothing in a payload lies; text such as 1e999999999 is a number, too, and not one to reckon with.
_FARTHEST = 400


@dataclass(frozen=True)
class Grounding:
    """How many numbers were cited, and one sentence for each that does not stand where it is said to."""

    cited: int
    faults: tuple[str, ...]

    @property
    def ungrounded_ratio(self) -> float | None:
        """0 … 1; None when no number was cited."""
        return round(len(self.faults) / self.cited, 6) if self.cited else None

    def beyond(self, limit: float) -> bool:
        """Whether more of the evidence is made up than policy bears."""
        return (self.ungrounded_ratio or 0.0) > limit


def ground(answer: Answer, facts: Facts) -> Grounding:
    """Every number in the answer's evidence held against the payload."""
    items = [item for item in (*answer.evidence_for, *answer.evidence_against) if number(item.value) is not None]
    return Grounding(len(items), tuple(fault for item in items if (fault := _fault(item, facts)) is not None))


def _fault(item: Evidence, facts: Facts) -> str | None:
    cited = number(item.value)
    found = [value for path, value in facts.leaves if path == item.field or path.endswith(f".{item.field}")]
    if cited is None or any(_same(cited, number(value)) for value in found):
        return None
    if not found:
        return f"There is no field {item.field} in the data."
    return f"{item.field} is {', '.join(str(value) for value in found[:4])}, not {item.value}."


def _same(cited: Decimal, held: Decimal | None) -> bool:
    exponent = cited.as_tuple().exponent
    if abs(cited.adjusted()) > _FARTHEST:
        return False
    return held is not None and isinstance(exponent, int) and abs(held - cited) <= Decimal(5).scaleb(min(exponent, 0) - 1)
