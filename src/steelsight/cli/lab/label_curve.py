"""`steelsight label-curve DATA --out DIR`: the gain from more labels, with its bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import DataArgument, JsonFlag, console, emit_json, print_earlier, print_line
from steelsight.cli.executor import RayOption, chosen_executor
from steelsight.cli.options import draws_figures, expand_options
from steelsight.sheets.options import DataOptions
from steelsight.training.options import LabelCurveOptions, TrainOptions

__all__ = ["label_curve"]


@draws_figures
@expand_options
def label_curve(
    data: DataArgument,
    out: Annotated[Path, typer.Option(help="Folder for curve.html, curve.json and the runs.", metavar="DIR")],
    options: LabelCurveOptions,
    sheets: DataOptions,
    ray: RayOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Train on growing shares of the labels, and extrapolate to twice as many."""
    from steelsight.api.data import Data
    from steelsight.api.lab.training import label_curve as grow_labels
    from steelsight.api.progress import console_progress

    asked = TrainOptions(
        recipe=options.recipe, setting=tuple(options.settings), seed=options.seed, fresh=options.fresh
    )
    with chosen_executor(ray) as executor, console_progress(console) as progress:
        curve = grow_labels(
            Data(data, sheets),
            asked,
            out=out,
            shares=options.share_values,
            progress=progress,
            executor=executor,
        )
    for row in curve.numbers["rows"]:
        console.print(
            f"  {row['sheets']:>7,} sheets  balanced accuracy {row['balanced_accuracy']['estimate']:.3f}"
        )
    for words in curve.lines:
        print_line(words)
    print_earlier(curve.numbers)
    print_line(f"report: {curve.page}")
    if as_json:
        emit_json(curve.as_dict())
