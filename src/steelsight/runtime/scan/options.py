"""Options of a scan. Free of the engines, so that `--help` stays fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from steelsight.options import option

__all__ = ["DEFAULTS", "ScanOptions"]


@dataclass(frozen=True)
class ScanOptions:
    """How sheets are scanned and what is written."""

    engine: str = option("openvino", help="openvino or onnxruntime.")
    # As engine.BATCH, which cannot be read without loading the engines.
    batch: int = option(8, help="Number of sheets in one pass.", min=1, max=512)
    heatmaps: bool = option(
        False, help="Write the maps of all classes too, 2 bytes a cell.", flag="--heatmaps"
    )
    partition: str = option(
        "",
        help="Write the rows by day and coil too, which are read from names: '{day}/{coil}_{*}.jpg'.",
        metavar="PATTERN",
    )
    fresh: bool = option(False, help="Remove an earlier scan in DIR.", flag="--fresh")
    page: bool = option(True, help="Write report.html and report.json.", command_line=False)


DEFAULTS: Final = ScanOptions()
