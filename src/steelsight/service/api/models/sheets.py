"""Sheets, verdicts, draws and reviews, as answers and as what is sent."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from steelsight.ledger.chain.entries import Answer, LedgerRegion, Mode, Recommended, Runs
from steelsight.service.api.models.values import (
    AnswerModel,
    Moment,
    PageQuery,
    Parameters,
    ShortName,
    UtcText,
)
from steelsight.types import State

__all__ = [
    "DrawAnswer",
    "NewReview",
    "ReviewAnswer",
    "ReviewPage",
    "ReviewQuery",
    "SheetAnswer",
    "SheetHistory",
    "SheetPage",
    "SheetQuery",
    "VerdictAnswer",
    "VerdictName",
    "VerdictPage",
    "VerdictQuery",
]

SheetName = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_SHEET = "5d41402abc4b2a76b9719d911017c592"


class SheetQuery(PageQuery):
    """Which sheets to list."""

    station: ShortName | None = None
    coil: ShortName | None = None
    image_hash: Hash | None = Field(None, description="SHA-256 of the image file's bytes.")
    since: Moment | None = Field(None, description="Captured at or after.")
    until: Moment | None = Field(None, description="Captured before.")


class VerdictQuery(PageQuery):
    """Which verdicts to list."""

    station: ShortName | None = None
    coil: ShortName | None = None
    label: ShortName | None = None
    state: State | None = None
    bundle: ShortName | None = Field(None, description="Model id of a bundle.")
    mode: Mode | Literal["any"] = Field(Mode.LIVE, description="live, shadow, replay, or any.")
    since: Moment | None = Field(None, description="Sheets captured at or after.")
    until: Moment | None = Field(None, description="Sheets captured before.")


class ReviewQuery(PageQuery):
    """Which reviews to list."""

    sheet: SheetName | None = None
    person: SheetName | None = Field(None, description="Random id of a person.")
    answer: Answer | None = None
    since: Moment | None = Field(None, description="Entered at or after.")
    until: Moment | None = Field(None, description="Entered before.")


class SheetAnswer(AnswerModel):
    """A sheet as a station received it."""

    sheet: str = Field(description="Its identity.", examples=[_SHEET])
    station: str = Field(examples=["line-1"])
    item: str = Field(description="The source's own name of it.", examples=["c17_0012.jpg"])
    writer: str
    seq: int
    entered: UtcText
    captured: UtcText
    image_hash: str | None = Field(description="SHA-256 of the image file's bytes.")
    width: int | None = Field(description="px", examples=[1600])
    height: int | None = Field(description="px", examples=[256])
    coil: str | None = Field(examples=["C17"])
    position_m: float | None = Field(description="Along the strip, of the leading edge.", examples=[12.4])
    length_m: float | None
    across_mm: float | None
    side: Literal["top", "bottom"] | None
    repeated: bool = Field(description="The same bytes as the sheet before it at this station.")


class VerdictAnswer(AnswerModel):
    """What one bundle said of one sheet."""

    writer: str = Field(description="With `seq`, the name of this entry.", examples=["line-1"])
    seq: int = Field(examples=[42])
    sheet: str = Field(examples=[_SHEET])
    entered: UtcText
    mode: Mode
    bundle: str = Field(description="Model id.")
    label: str = Field(description="Empty for an image that could not be read.", examples=["scratch"])
    probability: float | None = Field(examples=[0.987])
    probabilities: dict[str, float]
    state: State
    reason: str
    detail: str
    regions: tuple[LedgerRegion, ...]
    distance: float | None
    engine: str
    precision: str
    latency_ms: float | None
    station: str
    captured: UtcText
    coil: str | None
    position_m: float | None


class DrawAnswer(AnswerModel):
    """That a sheet was drawn for audit."""

    sheet: str
    writer: str
    seq: int
    stratum: str
    probability: float
    value: float


class ReviewAnswer(AnswerModel):
    """What a person said of a sheet."""

    writer: str
    seq: int
    sheet: str = Field(examples=[_SHEET])
    entered: UtcText
    person: str = Field(description="Random id; no name enters the ledger's chain.")
    person_name: str | None = Field(
        None, description="With the permission `audit` only; null where the person was erased."
    )
    answer: Answer
    label: str | None
    verdict_writer: str | None
    verdict_seq: int | None
    regions: tuple[LedgerRegion, ...]
    nuisance: str | None
    comment: str | None = Field(description="The text; null where there is none or it was erased.")
    comment_erased: bool = False
    seconds: float | None
    mask: str | None = Field(
        None, description="Painted pixels: run lengths of the image, down the columns, as EncodedPixels."
    )
    blind: bool = Field(False, description="Decided before verdict and map were shown.")
    withdrawn: bool = Field(False, description="Taken back by its person; it stays on record.")
    independent: bool = Field(
        False, description="Of a second person, to whom the first one's answer was not shown."
    )
    recommended: Recommended | None = Field(
        None, description="The action that the recommendation policy named, and the one that was chosen."
    )


class SheetHistory(SheetAnswer):
    """A sheet with everything that the ledger says of it."""

    verdicts: tuple[VerdictAnswer, ...]
    reviews: tuple[ReviewAnswer, ...]
    draw: DrawAnswer | None


class SheetPage(AnswerModel):
    """Sheets, newest capture first."""

    items: tuple[SheetAnswer, ...]
    next: str | None = Field(description="Cursor of the next page; null = this is the last.")


class VerdictPage(AnswerModel):
    """Verdicts, newest capture first."""

    items: tuple[VerdictAnswer, ...]
    next: str | None = Field(description="Cursor of the next page; null = this is the last.")


class ReviewPage(AnswerModel):
    """Reviews, newest first."""

    items: tuple[ReviewAnswer, ...]
    next: str | None = Field(description="Cursor of the next page; null = this is the last.")


class VerdictName(Parameters):
    """The name of a verdict's entry."""

    writer: ShortName
    seq: int = Field(ge=1, le=2**53 - 1)


class NewReview(Parameters):
    """What a person says of a sheet."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sheet": _SHEET,
                    "answer": "corrected",
                    "label": "scratch",
                    "verdict": {"writer": "line-1", "seq": 42},
                    "comment": "roll mark, not a scratch of the line",
                    "seconds": 4.2,
                }
            ]
        }
    )

    sheet: SheetName
    answer: Answer
    label: ShortName | None = Field(
        None, description="The right label: needed for `corrected`; a class of the verdict's bundle."
    )
    verdict: VerdictName | None = Field(None, description="That was shown; none = the last live one.")
    regions: tuple[LedgerRegion, ...] = Field((), max_length=1000)
    nuisance: ShortName | None = Field(None, description="What misled the model, such as a stain.")
    comment: Annotated[str, StringConstraints(max_length=10_000, pattern=r"^[^\x00]*$")] | None = None
    seconds: float | None = Field(None, ge=0, le=1e9, allow_inf_nan=False)
    mask: Runs | None = Field(
        None, description="Painted pixels: run lengths of the image, down the columns, as EncodedPixels."
    )
