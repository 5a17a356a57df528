"""Options of calibration. Free of torch, so that the command line reads them fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from steelsight.errors import BadInput
from steelsight.options import check_options, option

if TYPE_CHECKING:
    from steelsight.evaluation.abstention.cost import Prices

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
    escape_price: float | None = option(None, help="Cost of a defective sheet that passes.")
    overkill_price: float | None = option(None, help="Cost of a good sheet that is stopped.")
    review_price: float | None = option(None, help="Cost of reviewing a sheet by hand.")
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
        given = [price is not None for price in (self.escape_price, self.overkill_price, self.review_price)]
        if any(given) and not all(given):
            raise BadInput(
                "prices: expected --escape-price, --overkill-price and --review-price, all or none"
            )
        if self.by == "cost" and not all(given):
            raise BadInput("--by cost: expected the prices of an escape, an overkill and a review, got none")

    @property
    def prices(self) -> Prices | None:
        """The three prices together; None = none were given."""
        from steelsight.evaluation.abstention.cost import Prices  # slow to import, and rarely needed

        if self.escape_price is None or self.overkill_price is None or self.review_price is None:
            return None
        return Prices(float(self.escape_price), float(self.overkill_price), float(self.review_price))
