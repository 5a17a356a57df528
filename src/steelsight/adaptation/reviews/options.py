"""Options of an export of reviews. Free of heavy imports, so that `--help` stays fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from steelsight.options import check_options, option

__all__ = ["ReviewExportOptions"]


@dataclass(frozen=True)
class ReviewExportOptions:
    """Which reviews are exported, and which part of the split each coil is in."""

    splits: tuple[Path, ...] = option(
        (),
        help="coils.csv of an earlier export, or splits.csv of a run that was grouped by coil: coils in it "
        "keep their part; repeatable.",
        metavar="FILE",
    )
    part: tuple[str, ...] = option(
        (), help="Export only coils of this part: train, validation or test; repeatable.", metavar="PART"
    )
    counted: str | None = option(
        None,
        help="Audit draws captured before this UTC day are counted and may train. Default: as the ledger "
        "says.",
        metavar="DAY",
    )
    defect_free: tuple[str, ...] = option(
        (), help="Name of a defect-free class; repeatable. Default: recognised by name.", metavar="NAME"
    )
    boxes: bool = option(
        False, help="Take boxes that reviewers drew around defects as masks too.", flag="--boxes"
    )
    places: bool = option(
        False,
        help="Take the places that a confirmed verdict showed as masks where nobody marked the defect.",
        flag="--places",
    )

    def __post_init__(self) -> None:
        check_options(self)
