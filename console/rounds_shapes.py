"""What judging signals again answers."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

Dollars = Annotated[str | None, Field(description="A plain decimal; null while nobody knows.", examples=["0.0123"])]


class ModelForecast(BaseModel):
    """What one more answer of a model is likely to cost."""

    model: str
    cost_usd_each: Dollars


class Forecast(BaseModel):
    """What the round is likely to cost, from what the models' latest answers cost."""

    cost_usd: Dollars
    models: list[ModelForecast]


class RoundOpened(BaseModel):
    """The round that judges the signal again, or on a dry run the one that would."""

    event_id: UUID
    evaluation: int
    dry_run: bool
    preview: Forecast


class RoundsOpened(BaseModel):
    """What was selected and what became of it. `skipped` ones were under way already; `remaining` ones wait for another call."""

    dry_run: bool
    as_of: datetime
    selected: int
    preview: Forecast
    started: int
    skipped: int
    remaining: int
