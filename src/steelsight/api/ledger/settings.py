"""Keyword settings of what an open ledger is asked, see `steelsight.api.settings`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

__all__ = ["RepeatsWanted", "ReviewsWanted", "VerdictsWanted"]


class VerdictsWanted(TypedDict, total=False):
    """Which verdicts a ledger lists: `ledger.reading.lists.VerdictFilter`."""

    station: str | None
    coil: str | None
    label: str | None
    state: str | None
    bundle: str | None
    mode: str | None
    since_us: int | None
    until_us: int | None


class RepeatsWanted(TypedDict, total=False):
    """Which repeat distances are searched: `coils.settings.RepeatSettings`."""

    shortest_m: float
    longest_m: float
    lateral_mm: float
    tolerance_mm: float
    false_alarms: float


class ReviewsWanted(TypedDict, total=False):
    """Which reviews are exported: `adaptation.reviews.options.ReviewExportOptions`."""

    splits: Sequence[Path]
    part: Sequence[str]
    counted: str | None
    defect_free: Sequence[str]
    boxes: bool
    places: bool
