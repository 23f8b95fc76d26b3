"""What an answer is. The only definition: the schema shown to models, the validator and the action words all come from here.

Evidence stands before the verdict, so that a model writes its reasons down before it commits itself. Ranges are checked here and
not by the vendor, whose schema dialect knows no bounds.
"""

import copy
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from core.canonical import canonical, digest

Word = Literal["FOLLOW_ENTER", "IGNORE", "FOLLOW_EXIT", "HOLD", "TIGHTEN_STOP"]
# What may be answered to which event, and what each word means to an executor.
WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "OPEN_SIGNAL": {
        "FOLLOW_ENTER": "enter the position as planned; needs a risk_plan that names its stop",
        "IGNORE": "stay out",
    },
    "CLOSE_SIGNAL": {
        "FOLLOW_EXIT": "leave the position now",
        "HOLD": "keep the position as it is",
        "TIGHTEN_STOP": "keep the position and draw its stop closer, as risk_plan says",
    },
}
ENTER: Final = "FOLLOW_ENTER"
EXIT: Final = "FOLLOW_EXIT"
TIGHTEN: Final = "TIGHTEN_STOP"
# A failure never opens a position and never holds an exit back.
FALLBACK: Final[Mapping[str, str]] = {"OPEN_SIGNAL": "IGNORE", "CLOSE_SIGNAL": EXIT}

LARGEST_ANSWER = 4_096
_FOR_US_ALONE = frozenset(
    {"title", "default", "description", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    | {"minLength", "maxLength", "minItems", "maxItems"}
)


def _printable(text: str) -> str:
    """Control, direction and zero-width characters become spaces: a tag is shown to people and written to logs."""
    plain = "".join(character if character.isprintable() else " " for character in text).strip()
    if not plain:
        raise ValueError("an empty text says nothing")
    return plain


Text = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Evidence(_Strict):
    """One observation: what it says (`code`), where it stands in the payload (`field`), and what is written there."""

    code: Text
    field: Text
    value: Number | Text | None = None


class EntryPlan(_Strict):
    """How to enter; `offset_bps` from the market price, negative below it."""

    type: Literal["market", "limit"]
    offset_bps: Annotated[Number, Field(ge=-10_000, le=10_000)] | None = None


class RiskPlan(_Strict):
    """Where the stop is: a price (`fixed`), a multiple of the ATR (`atr`), or a percentage behind the best price (`trailing`)."""

    stop_method: Literal["fixed", "atr", "trailing"]
    stop_level: Annotated[Number, Field(gt=0, le=1e12)] | None = None
    atr_multiple: Annotated[Number, Field(ge=0.5, le=10)] | None = None
    trail_pct: Annotated[Number, Field(ge=0, le=100)] | None = None

    @property
    def names_its_stop(self) -> bool:
        """Whether the figure that belongs to the method is there."""
        figures = {"fixed": self.stop_level, "atr": self.atr_multiple, "trailing": self.trail_pct}
        return figures[self.stop_method] is not None


class Answer(_Strict):
    """One model's judgement. `confidence`: the probability that following the signal as planned ends with net profit after fees."""

    evidence_for: Annotated[tuple[Evidence, ...], Field(max_length=4)] = ()
    evidence_against: Annotated[tuple[Evidence, ...], Field(max_length=4)] = ()
    decision: Word
    confidence: Annotated[Number, Field(ge=0, le=1)]
    entry_plan: EntryPlan | None = None
    risk_plan: RiskPlan | None = None
    size_pct: Annotated[Number, Field(ge=0, le=100)] | None = None
    reasons: Annotated[tuple[Text, ...], Field(min_length=1, max_length=8)]


@cache
def wire_schema(event_type: str) -> Mapping[str, Any]:
    """The JSON schema sent to vendors, in the strictest common subset: all required, closed, no bounds, legal words only."""
    schema = _stripped(copy.deepcopy(Answer.model_json_schema()))
    schema["properties"]["decision"] = {"type": "string", "enum": list(WORDS[event_type])}
    return dict(schema)


@cache
def schema_hash(event_type: str) -> str:
    """SHA-256 of the canonical wire schema."""
    return digest(canonical(wire_schema(event_type)))


def _stripped(node: Any) -> Any:
    if isinstance(node, list):
        return [_stripped(member) for member in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _stripped(value) for key, value in node.items() if key not in _FOR_US_ALONE or isinstance(value, dict)}
    if "properties" in kept:
        kept["required"] = list(kept["properties"])
        kept["additionalProperties"] = False
    return kept
