"""Options of an export. Free of torch, so that `--help` stays fast."""

from __future__ import annotations

from dataclasses import dataclass

from steelsight.options import option
from steelsight.reports.hub_card import UNKNOWN_LICENSE, check_license
from steelsight.sheets.options import DataOptions

__all__ = ["ExportOptions"]


@dataclass(frozen=True)
class ExportOptions(DataOptions):
    """Which precisions are allowed, and what the threshold is certified for."""

    precision: tuple[str, ...] = option(
        ("int8", "bf16", "f32"),
        help="Allowed precisions, joined by commas; the fastest that passes parity is chosen. "
        "f32 is always compared, and ends the export where it differs.",
        joined=True,
    )
    risk: float = option(0.05, help="Share of wrong answers the threshold is certified for.")
    delta: float = option(0.1, help="Probability that the certificate does not hold.")
    probes: int = option(
        24, help="Sheets of DATA carried in the bundle for `bundle verify`; 0 = none.", min=0
    )
    license: str = option(
        UNKNOWN_LICENSE,
        help="Licence of the model by its identifier on the Hugging Face hub, such as apache-2.0.",
        metavar="ID",
    )
    seed: int = option(0, help="Seed of the drawn sheets.", min=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_license(self.license)
