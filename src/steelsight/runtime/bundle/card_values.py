"""Kinds of values in the card of a bundle, each with its bounds."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = [
    "LONGEST_SIDE",
    "CardPart",
    "Cells",
    "Difference",
    "Distance",
    "Gray",
    "Name",
    "Share",
    "Words",
    "in_order",
]

LONGEST_SIDE: Final = 2**16  # px, of the input


def _shown(text: str) -> str:
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text):
        raise ValueError(f"expected text without control characters, got {text!a:.80}")
    return text


def in_order(values: tuple[float, ...]) -> tuple[float, ...]:
    """The values, where none is below the one before it."""
    if any(later < earlier for earlier, later in pairwise(values)):
        raise ValueError("expected values in order")
    return values


Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_shown)]
Words = Annotated[str, Field(max_length=10_000)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Difference = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
Gray = Annotated[float, Field(ge=0, le=255, allow_inf_nan=False)]
Distance = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Cells = Annotated[int, Field(ge=1, le=LONGEST_SIDE)]


class CardPart(BaseModel):
    """A part of a card: no other keys than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")
