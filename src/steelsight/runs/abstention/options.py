"""Options of calibration. Free of torch, so that the command line reads them fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from steelsight.errors import BadInput
from steelsight.evaluation.abstention.cost import Prices
from steelsight.options import check_options, option

__all__ = ["CalibrationOptions"]

PARTS = ("unseen", "test", "validation")


@dataclass(frozen=True)
class CalibrationOptions:
    """What is promised, on which sheets it is certified, and which threshold the card gets.

    raises  BadInput for a value outside its range, or by = cost without prices
    """

    split: str = option("unseen", help="Sheets that certify: unseen, test or validation of the run.")
    risk: float = option(0.01, help="Share of wrong answers allowed among those given.")
    delta: float = option(0.1, help="Probability that the promise fails by chance in these sheets.")
    prices: Prices | None = option(
        None, help="Prices of an escape, an overkill and a review.", command_line=False
    )
    prevalence: float | None = option(
        None, help="Share of defective sheets on the line; default: that of the sheets."
    )
    by: Literal["certificate", "cost"] = option(
        "certificate", help="Threshold written into the card: the certified one, or the cheapest."
    )
    seed: int = option(
        0,
        help="Seed of the halves and of the sheet drawn from each group. Choose it beforehand: trying seeds "
        "until one certifies breaks the promise of delta.",
        min=0,
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.split not in PARTS:
            raise BadInput(f"--split: expected one of {', '.join(PARTS)}, got {self.split!r}")
        if self.by == "cost" and self.prices is None:
            raise BadInput("--by cost: expected the prices of an escape, an overkill and a review, got none")
