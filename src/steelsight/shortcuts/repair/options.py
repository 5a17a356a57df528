"""Options of a repair."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from steelsight.counterfactuals.options import LIMIT_HELP, SOURCE_HELP
from steelsight.options import check_options, option
from steelsight.sheets.options import DataOptions

__all__ = ["STARTS", "RepairOptions"]

STARTS = ("run", "recipe")


@dataclass(frozen=True)
class RepairOptions(DataOptions):
    """Which repair methods are trained, from which weights, and on which sheets they are evaluated."""

    methods: tuple[str, ...] | None = option(
        None,
        help="Repair methods, joined by commas: paste, balance, dro, last_layer, reasons. Default: all.",
        flag="--cures",
        joined=True,
    )
    evaluation_data: Path | None = option(
        None,
        help="DATA folder of the sheets to evaluate on. Default: the run's test sheets.",
        flag="--judges",
        metavar="DATA",
    )
    suspected_class: str | None = option(
        None,
        help="Class the nuisance may indicate. Default: the defect-free one; for ends type 2.",
        flag="--suspect",
        metavar="CLASS",
    )
    groups_from: str = option("auto", help=SOURCE_HELP)
    start: str = option(
        "run", help="run: training continues from the run's weights; recipe: it starts as its recipe does."
    )
    epochs: int | None = option(None, help="Maximum number of epochs. Default: as the run's recipe.", min=1)
    limit: int = option(500, help=LIMIT_HELP, min=1)
    material: str = option("auto", help="What is pasted: real (cut from sheets), drawn, or auto.")
    seed: int = option(0, help="Same seed and data, same figures.", min=0)
    fresh: bool = option(False, help="Start over, or continue with what DIR holds.", flag="--fresh/--resume")

    def __post_init__(self) -> None:
        check_options(self)
