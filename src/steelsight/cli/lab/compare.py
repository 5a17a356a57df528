"""`steelsight compare RUN RUN... --data DATA`: differences between models, with intervals and tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import JsonFlag, console, emit_json, print_earlier, print_line
from steelsight.cli.options import expand_options
from steelsight.runs.options import CompareOptions
from steelsight.sheets.options import DataOptions

__all__ = ["compare"]


@expand_options
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="RUN folders, or folders of `train --folds`; the others are compared with the first.",
            metavar="RUN",
        ),
    ],
    options: CompareOptions,
    sheets: DataOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder for compare.html and compare.json.", metavar="DIR")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare trained models on sheets that none was trained on: paired intervals and McNemar's test."""
    from steelsight.api.data import Data
    from steelsight.api.lab.training import compare as compare_runs
    from steelsight.reports.cells import cell_text

    where = None if options.data is None else Data(options.data, sheets)
    with console.status("comparing"):
        done = compare_runs(*runs, data=where, out=out, options=options)
    for each in done.runs:
        console.print(each.name, markup=False)
        for metric, title in done.metric_titles.items():
            line = f"  {title:<18} {cell_text(each.metrics[metric])}"
            if metric in each.against_first:
                line += f"   against the first {cell_text(each.against_first[metric].difference)}"
            console.print(line, markup=False)
        if each.mcnemar is not None:
            console.print(f"  McNemar p = {each.mcnemar.p_value:.3g}", markup=False)
    if out is not None:
        print_earlier(json.loads((out / "compare.json").read_text(encoding="utf-8")))
        print_line(f"report: {out / 'compare.html'}")
    if as_json:
        emit_json(done.as_dict())
