"""What a set of synthetic sheets is asked to contain: every default with its reason, nothing impossible."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from steelsight.errors import BadRecipe

__all__ = ["EVEN_SHARES", "STUDY_SHARES", "SynthSpec", "synth_spec"]

Five = tuple[float, float, float, float, float]  # none, types 1-4

_SHEETS = 12_141  # the study's single-type data set
STUDY_SHARES: Five = (5902 / _SHEETS, 769 / _SHEETS, 195 / _SHEETS, 4759 / _SHEETS, 516 / _SHEETS)
EVEN_SHARES: Five = (0.2, 0.2, 0.2, 0.2, 0.2)


class SynthSpec(BaseModel):
    """A recipe for synthetic sheets; equal recipes give equal bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(0, ge=0)  # equal seeds give equal sheets
    count: int = Field(100, ge=1, le=10_000_000)  # number of sheets
    height: int = Field(
        256, ge=32, le=2048
    )  # the strip camera's own size; below 32 no defect keeps its shape
    width: int = Field(1600, ge=64, le=8192)  # px
    class_shares: Five = STUDY_SHARES  # of the sheets; none, types 1-4
    multi_type_share: float = Field(0.0, ge=0, le=1)  # of the defective sheets; .064 in the whole competition
    stain_given_none: float = Field(
        0.03, ge=0, le=1
    )  # the study listed 164 stained sheets beside 5,902 clean ones
    stain_given_defect: float = Field(0.002, ge=0, le=1)  # next to none there: the shortcut the study found
    stain_may_cover: bool = False  # False: a stain keeps off every annotated defect
    end_given_class: Five = (
        0.25,
        0.5,
        0.8,
        0.3,
        0.12,
    )  # types 1, 2 sit at ends
    checker_given_none: float = Field(0.01, ge=0, le=1)  # checker plate is rare and always sound
    sloppiness: float = Field(
        0.5, ge=0, le=2
    )  # .5 = the annotators' outlines, 0 = close to the defect itself
    jpeg_quality: tuple[int, int] = (86, 96)  # drawn per sheet; the study's files were written at 90 and 95
    version: Literal[1, 2] = 1  # of the generator; a recipe that names none is of the first
    plate_given_none: float = Field(0.06, ge=0, le=1)  # version 2 alone: chequer or tear plate

    def text(self) -> str:
        """The recipe as JSON; one of version 1 reads as it did before there was a second."""
        later = {"version", "plate_given_none"} if self.version == 1 else set()
        return self.model_dump_json(indent=2, exclude=later) + "\n"

    @field_validator("class_shares", "end_given_class")
    @classmethod
    def _shares_are_probabilities(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 <= value <= 1 for value in values):
            raise ValueError(f"expected five numbers within 0..1 (none, types 1-4), found {values}")
        return values

    @field_validator("class_shares")
    @classmethod
    def _shares_sum_to_one(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if abs(sum(values) - 1) > 1e-3:
            raise ValueError(f"expected shares that sum to 1, found {values}, which sum to {sum(values):.4g}")
        return values

    @field_validator("jpeg_quality")
    @classmethod
    def _quality_is_a_range(cls, values: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= values[0] <= values[1] <= 100:
            raise ValueError(
                f"expected lowest and highest quality with 1 <= lowest <= highest <= 100, found {values}"
            )
        return values


def synth_spec(**wishes: Any) -> SynthSpec:
    """A checked recipe; raises BadRecipe naming the first knob that cannot be met."""
    try:
        return SynthSpec(**wishes)
    except ValidationError as error:
        first = error.errors()[0]
        knob = ".".join(str(part) for part in first["loc"]) or "recipe"
        raise BadRecipe(f"{knob}: {first['msg']}, found {first['input']!r}; change this option") from error
