"""What dead letters look like, and what decisions about them answer."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field


class Letter(BaseModel):
    """Work that was given up."""

    id: UUID
    event_id: UUID | None
    stage: Annotated[str, Field(examples=["enrich"])]
    reason_code: str
    error_type: str
    error_message: str
    fingerprint: Annotated[str, Field(description="The same for letters of one cause.", examples=["9f2c66a01b7d4e58"])]
    attempts: int
    retry_count: int
    status: Literal["open", "requeued", "resolved", "discarded"]
    created_at: datetime
    last_retry_at: datetime | None
    resolved_at: datetime | None
    resolved_by: str | None
    resolution_note: str | None


class LetterAct(BaseModel):
    """What was done about a letter: to which state, by whom and why."""

    status: Literal["open", "requeued", "resolved", "discarded"]
    actor: str
    note: str | None
    at: datetime


class WholeLetter(Letter):
    """The same, with the work it stands for, where that broke, and what was done about it."""

    payload: dict[str, Any]
    traceback: str | None
    history: list[LetterAct]


class Requeued(BaseModel):
    """A letter whose signal is on its way again."""

    id: UUID
    status: Literal["requeued"]
    retry_count: int


class LettersOfOneKind(BaseModel):
    """How many of the selected letters are alike."""

    stage: str
    reason_code: str
    count: int


class LettersRequeued(BaseModel):
    """What was selected and what became of it. `skipped` ones were no longer open; `remaining` ones wait for another call."""

    dry_run: bool
    as_of: datetime
    selected: int
    counts: list[LettersOfOneKind]
    requeued: int
    skipped: int
    remaining: int
