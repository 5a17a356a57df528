"""Options of a plan for a whole mill. Free of the engines, so that `--help` stays fast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from steelsight.errors import BadRecipe
from steelsight.options import check_options, option

__all__ = ["PRICES", "PlanOptions"]

PRICES: Final = ("node-hour", "gb-month", "million-verdicts")
DEAREST: Final = 1e9  # of a price: more is a slip of the hand


@dataclass(frozen=True)
class PlanOptions:
    """What a mill has: sheets a day, how unevenly they come, what is kept, and what things cost."""

    plan: float | None = option(
        None,
        help="Size a mill with this many sheets a day: nodes, storage, network, ledger.",
        metavar="SHEETS_PER_DAY",
        min=1,
        max=1e10,
    )
    peak: float = option(
        2.0,
        help="With --plan: busiest rate over the average of the day; 3 = all sheets within eight hours.",
        min=1,
        max=1000,
    )
    sheet_kb: float | None = option(
        None,
        help="With --plan: size of an image file in kB (1000 bytes). Default: mean of the measured images.",
        metavar="KB",
        min=0.01,
        max=536_870,
    )
    image_days: float = option(
        30.0, help="With --plan: days for which images are kept.", metavar="DAYS", min=0, max=36_500
    )
    image_share: float = option(
        1.0, help="With --plan: share of the sheets whose image is kept.", metavar="SHARE", min=0, max=1
    )
    verdict_days: float = option(
        365.0, help="With --plan: days for which verdicts are kept.", metavar="DAYS", min=0, max=36_500
    )
    node_cores: int | None = option(
        None,
        help="With --plan: processor cores of a node. Default: those of this machine.",
        metavar="N",
        min=1,
        max=4096,
    )
    price: tuple[str, ...] = option(
        (), help=f"With --plan: a price, repeatable: {', '.join(PRICES)}.", metavar="NAME=AMOUNT"
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.plan is None:
            for each in fields(self):
                if getattr(self, each.name) != each.default:
                    raise BadRecipe(f"--{each.name.replace('_', '-')}: expected together with --plan")
        self.prices()  # refuses what is no price

    def prices(self) -> Mapping[str, float]:
        """Prices by name, in the order of `PRICES`; those that were not given are absent.

        raises  BadRecipe for another name, a name given twice, or an amount that is none
        """
        found: dict[str, float] = {}
        for text in self.price:
            name, _, amount = text.partition("=")
            if name not in PRICES:
                raise BadRecipe(f"--price {text!r:.80}: expected NAME=AMOUNT, with {', '.join(PRICES)}")
            if name in found:
                raise BadRecipe(f"--price {name}: expected once, got it again: {text!r:.80}")
            found[name] = _amount(text, amount)
        return {name: found[name] for name in PRICES if name in found}


def _amount(text: str, amount: str) -> float:
    try:
        value = float(amount)
    except ValueError:
        value = math.nan
    if not 0 <= value <= DEAREST:
        raise BadRecipe(f"--price {text!r:.80}: expected an amount from 0 to {DEAREST:g}")
    return value
