"""The requests `POST /info` takes, and how the venue refuses the others."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

MANTISSAS = (1, 2, 5)
Millis = Annotated[int, Field(ge=0, lt=2**53)]
Interval = Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M"]


class Query(BaseModel):
    """One request. Types are strict, as the venue's are; unknown keys are ignored, as the venue ignores them."""

    model_config = ConfigDict(strict=True, frozen=True)

    def tags(self) -> dict[str, str]:
        """What names this request to fault rules and counters: endpoint, and coin and interval where it has them."""
        values = {"endpoint": self.model_dump()["type"], "coin": getattr(self, "coin", None)}
        return {key: value for key, value in values.items() if value is not None}


class AllMids(Query):
    """Mid prices of every listed coin."""

    type: Literal["allMids"]


class Meta(Query):
    """The universe and its margin tables."""

    type: Literal["meta"]


class MetaAndAssetCtxs(Query):
    """`meta` and one context per coin, in the same order."""

    type: Literal["metaAndAssetCtxs"]


class PredictedFundings(Query):
    """Next funding per coin and venue."""

    type: Literal["predictedFundings"]


class L2Book(Query):
    """The book of a coin, aggregated to significant figures; a mantissa goes only with five of them."""

    type: Literal["l2Book"]
    coin: str
    nSigFigs: Annotated[int, Field(ge=2, le=5)] | None = None  # noqa: N815 - the wire's name
    mantissa: int | None = None

    @model_validator(mode="after")
    def _mantissa_fits(self) -> "L2Book":
        if self.mantissa is not None and (self.nSigFigs != 5 or self.mantissa not in MANTISSAS):
            raise ValueError("mantissa is 1, 2 or 5 and goes only with nSigFigs 5")
        return self


class RecentTrades(Query):
    """The last trades of a coin."""

    type: Literal["recentTrades"]
    coin: str


class FundingHistory(Query):
    """Settled funding of a coin; open-ended without an end."""

    type: Literal["fundingHistory"]
    coin: str
    startTime: Millis  # noqa: N815 - the wire's name
    endTime: Millis | None = None  # noqa: N815 - the wire's name


class CandleRequest(BaseModel):
    """The inner part of a candle request."""

    model_config = ConfigDict(strict=True, frozen=True)

    coin: str
    interval: Interval
    startTime: Millis  # noqa: N815 - the wire's name
    endTime: Millis | None = None  # noqa: N815 - the wire's name


class CandleSnapshot(Query):
    """Candles of a coin and interval."""

    type: Literal["candleSnapshot"]
    req: CandleRequest

    def tags(self) -> dict[str, str]:
        """Endpoint, coin and interval, read from the inner part."""
        return {"endpoint": self.type, "coin": self.req.coin, "interval": self.req.interval}


AnyQuery = Annotated[
    AllMids | Meta | MetaAndAssetCtxs | PredictedFundings | L2Book | RecentTrades | FundingHistory | CandleSnapshot,
    Field(discriminator="type"),
]
QUERIES: TypeAdapter[AnyQuery] = TypeAdapter(AnyQuery)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body."""

    status: int
    body: bytes
    content_type: str = "application/json"


# The venue is built with axum; its refusals are that framework's texts without their details.
NOT_JSON = Answer(400, b"Failed to parse the request body as JSON", "text/plain")
NO_JSON_TYPE = Answer(415, b"Expected request with `Content-Type: application/json`", "text/plain")
NOT_A_REQUEST = Answer(422, b"Failed to deserialize the JSON body into the target type", "text/plain")
UNKNOWN_COIN = Answer(500, b"null")
NO_BOOK = Answer(200, b"null")
