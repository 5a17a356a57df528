"""`steelsight label-curve DATA --out DIR`: the gain from more labels, with its bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import DataArgument, JsonFlag, console, emit_json, print_earlier, print_line
from steelsight.cli.executor import RayOption, chosen_executor
from steelsight.cli.options import draws_figures, expand_options
from steelsight.sheets.options import DataOptions
from steelsight.training.options import LabelCurveOptions

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
    from steelsight.runs.label_curve import grow_labels
    from steelsight.training.loop.progress import ConsoleProgress
    from steelsight.training.recipe_files import load_recipe

    with chosen_executor(ray) as executor, ConsoleProgress(console) as progress:
        curve = grow_labels(
            data,
            sheets,
            recipe=load_recipe(options.recipe, options.settings),
            out=out,
            shares=options.share_values,
            seed=options.seed,
            fresh=options.fresh,
            progress=progress,
            executor=executor,
        )
    for row in curve.numbers["rows"]:
        console.print(
            f"  {row['sheets']:>7,} sheets  balanced accuracy {row['balanced_accuracy']['estimate']:.3f}"
        )
    for words in curve.numbers["in_words"]:
        print_line(words)
    print_earlier(curve.numbers)
    print_line(f"report: {out / 'curve.html'}")
    if as_json:
        emit_json(curve.numbers)
