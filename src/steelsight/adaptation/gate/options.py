"""Options of a bundle's release gate. Free of heavy imports, so that `--help` stays fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from steelsight.counterfactuals.options import LIMIT_HELP, SOURCE_HELP
from steelsight.options import check_options, option
from steelsight.sheets.options import DataOptions

__all__ = ["BundleGateOptions"]


@dataclass(frozen=True)
class BundleGateOptions(DataOptions):
    """Which sheets of DATA a bundle is tested on, and how."""

    splits: Path | None = option(
        None,
        help="splits.csv of the run that was exported: its training and validation sheets and their groups "
        "are left out.",
        metavar="FILE",
    )
    groups_from: Literal["auto", "truth", "detector"] = option("auto", help=SOURCE_HELP)
    limit: int = option(500, help=LIMIT_HELP, min=1)
    engine: Literal["openvino", "onnxruntime"] = option("openvino", help="Engine that runs the graph.")
    threads: int = option(0, help="Number of threads; 0 = the engine's own choice.", min=0)
    seed: int = option(0, help="Seed of stamps, places and the bootstrap.", min=0)

    def __post_init__(self) -> None:
        check_options(self)
