"""Coils, bundles, stations and events."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from steelsight.service.api.models.sheets import SheetAnswer, VerdictAnswer
from steelsight.service.api.models.values import AnswerModel, Moment, PageQuery, ShortName, UtcText

__all__ = [
    "BundleAnswer",
    "BundleList",
    "BundleSummary",
    "CoilAnswer",
    "CoilPage",
    "CoilSheet",
    "CoilSummary",
    "EventAnswer",
    "EventPage",
    "EventQuery",
    "StationAnswer",
    "StationList",
]


class CoilSummary(AnswerModel):
    """A coil with counts of its live verdicts."""

    coil: str = Field(examples=["C17"])
    sheets: int = Field(examples=[2000])
    states: dict[str, int] = Field(examples=[{"decided": 1980, "doubtful": 20}])
    labels: dict[str, int] = Field(examples=[{"none": 1950, "scratch": 50}])
    first: UtcText | None
    last: UtcText | None
    first_m: float | None
    last_m: float | None


class CoilPage(AnswerModel):
    """Coils, the one captured last first."""

    items: tuple[CoilSummary, ...]
    next: str | None = Field(description="Cursor of the next page; null = this is the last.")


class CoilSheet(SheetAnswer):
    """A sheet of a coil with its live verdicts."""

    verdicts: tuple[VerdictAnswer, ...]


class CoilAnswer(AnswerModel):
    """A coil and a page of its sheets in the order of their metres."""

    coil: str
    first_m: float | None
    last_m: float | None
    direction: Literal["forward", "backward", "mixed", "unknown"] = Field(
        description="How the metres run with the time of capture; sheets come by their metres all the same."
    )
    turns: int = Field(description="How often the direction changes.")
    items: tuple[CoilSheet, ...]
    next: str | None = Field(description="Cursor of the next page; null = this is the last.")


class BundleSummary(AnswerModel):
    """A bundle that judges here."""

    id: str = Field(description="Model id.")
    name: str
    default: bool
    task: str
    class_names: tuple[str, ...]
    threshold: float | None = Field(description="Least confidence of a decided sheet; null = none.")
    threshold_by: str
    threshold_statement: str = Field(description="What is certified, in words; empty = nothing.")
    engine: str
    precision: str


class BundleList(AnswerModel):
    """All bundles, the default first."""

    items: tuple[BundleSummary, ...]


class BundleAnswer(BundleSummary):
    """A bundle with its whole card."""

    card: dict[str, Any] = Field(description="card.json, as docs of bundles describe it.")
    notes: tuple[str, ...]


class StationAnswer(AnswerModel):
    """A writer of the ledger: a station, or the service itself."""

    name: str
    entries: int
    held: bool = Field(description="Whether a process writes under this name now.")
    last: UtcText | None = Field(description="When its last verdict was entered.")


class StationList(AnswerModel):
    """All writers by name."""

    items: tuple[StationAnswer, ...]


class EventQuery(PageQuery):
    """Which events to list."""

    name: ShortName | None = None
    writer: ShortName | None = None
    since: Moment | None = Field(None, description="Entered at or after.")
    until: Moment | None = Field(None, description="Entered before.")


class EventAnswer(AnswerModel):
    """An event of the ledger."""

    writer: str
    seq: int
    entered: UtcText
    name: str = Field(examples=["database_back"])
    person: str | None = Field(description="Random id.")
    subject: str | None
    details: dict[str, Any]


class EventPage(AnswerModel):
    """Events, newest first."""

    items: tuple[EventAnswer, ...]
    next: str | None = Field(description="Cursor of the next page; null = this is the last.")
