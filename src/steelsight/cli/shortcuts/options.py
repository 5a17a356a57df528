"""Options that `shortcuts prove`, `repair` and `gate` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "GroupsFromOption",
    "JudgesArgument",
    "MaterialOption",
    "NuisanceOption",
    "PastedOption",
    "RunArgument",
    "SplitOption",
]

RunArgument = Annotated[Path, typer.Argument(help="RUN folder.", metavar="RUN")]
JudgesArgument = Annotated[Path, typer.Argument(help="DATA folder whose sheets judge.", metavar="DATA")]
NuisanceOption = Annotated[
    str, typer.Option(help="stain, end, or a CSV file of the sheets that have it.", metavar="stain|end|FILE")
]
GroupsFromOption = Annotated[
    str, typer.Option(help="Who says which sheets have it: auto, truth (truth.csv) or detector.")
]
SplitOption = Annotated[str, typer.Option(help="Which sheets judge: unseen, test, validation, train, all.")]
PastedOption = Annotated[int, typer.Option(min=1, help="At most so many sheets are pasted on.")]
MaterialOption = Annotated[str, typer.Option(help="What is pasted: real (cut from sheets), drawn, or auto.")]
