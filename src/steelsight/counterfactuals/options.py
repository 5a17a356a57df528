"""Settings of a proof of one nuisance on given sheets."""

from __future__ import annotations

from dataclasses import dataclass

from steelsight.counterfactuals.pasting.doses import DOSES, Dose
from steelsight.options import check_options, option

__all__ = ["LIMIT_HELP", "SOURCE_HELP", "ProofSettings"]

LIMIT_HELP = "Maximum number of sheets pasted on."
SOURCE_HELP = "Source of which sheets have the nuisance: auto, truth (truth.csv) or detector."


@dataclass(frozen=True)
class ProofSettings:
    """How a nuisance is tested and pasted on given sheets."""

    suspected_class: str | None = option(
        None,
        help="Class the nuisance may indicate. Default: the defect-free one; for ends type 2.",
        flag="--suspect",
        metavar="CLASS",
    )
    per_group: int | None = option(
        None,
        help="Maximum number of sheets in each group of the test; the study used 50. Default: all.",
        flag="--each",
        min=1,
    )
    limit: int = option(500, help=LIMIT_HELP, min=1)
    material: str = option("auto", help="What is pasted: real (cut from sheets), drawn, or auto.")
    doses: tuple[Dose, ...] = DOSES  # pasted in turn; FULL is always included
    remove: bool = True  # whether stains are also removed from the sheets that have one

    def __post_init__(self) -> None:
        check_options(self)
