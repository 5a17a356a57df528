"""Options of opening a DATA folder."""

from __future__ import annotations

from dataclasses import dataclass

from steelsight.options import check_options, option

__all__ = ["DataOptions"]


@dataclass(frozen=True)
class DataOptions:
    """Which sheets of a DATA folder belong together, and how many items may be unusable."""

    groups: str | None = option(
        None,
        help="What keeps sheets together: column:NAME, frames[:GAP], duplicates, or several joined by +.",
    )
    allow_bad: int = option(0, help="Tolerate up to N unusable items.", metavar="N", min=0)

    def __post_init__(self) -> None:
        check_options(self)
