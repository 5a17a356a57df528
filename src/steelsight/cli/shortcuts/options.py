"""Arguments and options that `shortcuts prove`, `repair` and `gate` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["EvaluationArgument", "NuisanceOption"]

EvaluationArgument = Annotated[
    Path, typer.Argument(help="DATA folder of the sheets to evaluate on.", metavar="DATA")
]
NuisanceOption = Annotated[
    str, typer.Option(help="stain, end, or a CSV file of the sheets that have it.", metavar="stain|end|FILE")
]
