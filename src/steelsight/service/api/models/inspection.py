"""An image that is judged: options of the request, and its answer."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from steelsight.service.api.models.values import AnswerModel, Moment, Parameters, ShortName
from steelsight.types import Reason, State

__all__ = ["HeatmapAnswer", "HeatmapForm", "ImageRegion", "InspectQuery", "Inspection", "Recorded"]

ItemText = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=r"^[^\x00-\x1f\x7f]+$")]


class HeatmapForm(StrEnum):
    """In which form a heatmap is wanted."""

    NONE = "none"
    PNG = "png"  # a transparent picture to lay over the sheet
    VALUES = "values"  # numbers
    BOTH = "both"


class InspectQuery(Parameters):
    """How to judge, and whether to record."""

    bundle: ShortName | None = Field(None, description="Name or model id; none = the default.")
    heatmap: HeatmapForm = HeatmapForm.NONE
    record: bool = Field(False, description="Write sheet and verdict into the ledger.")
    station: ShortName = Field("api", description="Of a sheet that is recorded.")
    item: ItemText | None = Field(
        None,
        description="The source's own name of a sheet that is recorded: station and item identify it. "
        "None = the image's hash and the time.",
    )
    captured: Moment | None = Field(None, description="None = now.")
    coil: ShortName | None = None
    position_m: float | None = Field(None, allow_inf_nan=False)
    length_m: float | None = Field(None, ge=0, allow_inf_nan=False)
    across_mm: float | None = Field(None, allow_inf_nan=False)
    side: Literal["top", "bottom"] | None = None


class ImageRegion(AnswerModel):
    """A place with evidence for the label."""

    box: tuple[int, int, int, int] = Field(description="Left, top, right, bottom; px of the image, edges.")
    area_px: int
    score: float = Field(description="Its strongest evidence divided by the sheet's strongest, 0 to 1.")


class HeatmapAnswer(AnswerModel):
    """Signed evidence for the label, at model size: above 0 supports it."""

    height: int
    width: int
    original_box: tuple[float, float, float, float] = Field(
        description="Left, top, right, bottom of the part of the image that the model sees; px."
    )
    model_box: tuple[int, int, int, int] = Field(description="The part of the map that this part fills.")
    png: str | None = Field(None, description="Transparent PNG in base64: red supports, blue opposes.")
    values: tuple[tuple[float, ...], ...] | None = Field(None, description="Rows from the top.")


class Recorded(AnswerModel):
    """Where sheet and verdict stand in the ledger."""

    sheet: str
    writer: str
    sheet_seq: int
    verdict_seq: int
    image_kept: bool = Field(description="Whether the image is in the image store.")


class Inspection(AnswerModel):
    """A verdict. An image that cannot be read has the state bad_image, and a detail that says why."""

    label: str = Field(description="Empty for a bad image.", examples=["scratch"])
    probability: float | None = Field(examples=[0.987])
    state: State
    reason: Reason
    detail: str
    regions: tuple[ImageRegion, ...]
    probabilities: tuple[float, ...] = Field(description="In the order of class_names.")
    label_set: tuple[str, ...] = Field(
        (),
        description="Classes that the sheet may be: familiar sheets of each class have it in their set as "
        "often as the bundle's card says, where they are drawn as its certification sheets were. Empty "
        "without such sets in the bundle, and for an unfamiliar sheet.",
    )
    distance: float | None = Field(description="From the training sheets; null where it is not known.")
    model_id: str
    class_names: tuple[str, ...]
    width: int | None = Field(description="Of the image, px.")
    height: int | None = Field(description="Of the image, px.")
    engine: str
    latency_ms: float = Field(description="From the arrival of the whole image to the verdict.")
    heatmap: HeatmapAnswer | None = None
    recorded: Recorded | None = None
