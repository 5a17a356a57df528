"""Coils, bundles, stations and events."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from steelsight.ledger.coils.defects import TOLERANCE_MM
from steelsight.service.api.models.sheets import SheetAnswer, VerdictAnswer
from steelsight.service.api.models.values import (
    AnswerModel,
    Moment,
    PageQuery,
    Parameters,
    ShortName,
    UtcText,
)

__all__ = [
    "BundleAnswer",
    "BundleList",
    "BundleSummary",
    "CoilAnswer",
    "CoilPage",
    "CoilSheet",
    "CoilSummary",
    "DefectAnswer",
    "DefectMember",
    "DefectQuery",
    "DefectsAnswer",
    "EventAnswer",
    "EventPage",
    "EventQuery",
    "ShadowAnswer",
    "ShadowWish",
    "StationAnswer",
    "StationList",
]


DEFECT_EXAMPLE: Final[JsonValue] = {
    "id": "9c1d5f0e7a3b48d2a6f4c8e0b1d2f3a4",
    "label": "scratch",
    "side": "top",
    "start_m": 12.4,
    "end_m": 13.65,
    "left_mm": 210.0,
    "right_mm": 221.5,
    "length_mm": 1250.0,
    "width_mm": 11.5,
    "area_mm2": 9400.0,
    "score": 0.93,
    "members": [
        {"sheet": "5d41402abc4b2a76b9719d911017c592", "region": 0},
        {"sheet": "7d793037a0760186574b0282f2f435e7", "region": 2},
    ],
}


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


class DefectQuery(PageQuery):
    """How the regions of a coil are merged."""

    tolerance_mm: float = Field(
        TOLERANCE_MM,
        ge=0,
        le=1000,
        allow_inf_nan=False,
        description="Largest gap between parts of one defect at a border of images.",
    )


class DefectMember(AnswerModel):
    """A region of a verdict that a defect consists of."""

    sheet: str
    region: int = Field(description="Its number among the regions of the sheet's last live verdict, from 0.")


class DefectAnswer(AnswerModel):
    """A defect: the regions of one or several images that lie together on the strip."""

    model_config = ConfigDict(json_schema_extra={"examples": [DEFECT_EXAMPLE]})

    id: str = Field(description="The same while the defect grows onwards.")
    label: str
    side: str | None
    start_m: float = Field(description="Along the coil.")
    end_m: float
    left_mm: float = Field(description="Across it.")
    right_mm: float
    length_mm: float
    width_mm: float
    area_mm2: float = Field(description="Sum over the regions.")
    score: float = Field(description="Highest of the regions.")
    members: tuple[DefectMember, ...]


class DefectsAnswer(AnswerModel):
    """A page of the defects of a coil, along it."""

    coil: str = Field(examples=["C17"])
    tolerance_mm: float
    unplaced: int = Field(description="Regions of sheets without a known place, which are in no defect.")
    items: tuple[DefectAnswer, ...]
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


class ShadowAnswer(AnswerModel):
    """The bundle that judges beside the default without being shown."""

    model: str | None = Field(description="Model id; null = there is none.")
    since: UtcText | None = Field(description="When it was started; null = the setting names it, or none.")
    seen: str = Field(description="State of the choices, for the next request that starts or ends a shadow.")


class ShadowWish(Parameters):
    """Which shadow to start or to end, and why."""

    model: Annotated[str, StringConstraints(pattern="^[0-9a-f]{12,32}$")] = Field(description="Model id.")
    seen: Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00]*$")] = Field(
        description="`seen` of GET /shadow, on which the decision rests."
    )
    reason: Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")] = Field(
        description="For those who ask later."
    )


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
