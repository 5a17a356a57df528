"""Options of a search for shortcuts."""

from __future__ import annotations

from dataclasses import dataclass

from steelsight.options import check_options, option
from steelsight.sheets.options import DataOptions

__all__ = ["SearchOptions"]


@dataclass(frozen=True)
class SearchOptions(DataOptions):
    """Which sheets of DATA are searched, and how."""

    split: str = option(
        "test",
        help="Sheets to search on: test, validation, train, unseen, or all of a DATA "
        "folder that the run was not trained on.",
    )
    # Effects above LEAST_EFFECT need no more sheets.
    limit: int = option(2000, help="Maximum number of sheets, drawn at random.", min=1)
    segments: str = option("slic", help="How sheets are cut into concepts: slic, grid or strips.")
    seed: int = option(0, help="Seed of samples, permutations, clusters and pastes.", min=0)

    def __post_init__(self) -> None:
        check_options(self)
