"""The verdict on a claim of the study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from steelsight.types import Interval

__all__ = ["Answer", "ClaimVerdict", "decide"]

Answer = Literal["holds", "does not hold", "undecided here"]


@dataclass(frozen=True)
class ClaimVerdict:
    """Whether a claim holds on these data, with the reason and the interval that decides it."""

    answer: Answer
    reason: str
    interval: Interval | None = None


def decide(holds: bool, fails: bool) -> Answer:
    """The answer; neither true = undecided here."""
    if holds:
        return "holds"
    return "does not hold" if fails else "undecided here"
