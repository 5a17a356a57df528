"""`steelsight confidence RUN DATA`: comparison of confidence scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import DataArgument, JsonFlag, console, emit_json, print_earlier, print_line
from steelsight.cli.options import draws_figures, expand_options
from steelsight.runs.options import ConfidenceOptions
from steelsight.sheets.options import DataOptions

if TYPE_CHECKING:
    from steelsight.runs.abstention.confidence_scores import ScoredSheets

__all__ = ["confidence"]


@draws_figures
@expand_options
def confidence(
    run: Annotated[Path, typer.Argument(help="RUN folder, or a folder of `train --folds`.", metavar="RUN")],
    data: DataArgument,
    options: ConfidenceOptions,
    sheets: DataOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder for confidence.html and confidence.json. Default: RUN.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare confidence scores: area under the risk-coverage curve, coverage at 99 and 95 % accuracy."""
    from steelsight.runs.abstention.confidence_scores import NUMBERS, PAGE, compare_confidence_scores

    with console.status("predicting"):
        scored = compare_confidence_scores(
            run, data, sheets, part=options.split, on=options.on, seed=options.seed, out=out
        )
    _print(scored)
    numbers = json.loads(((out or run) / NUMBERS).read_text(encoding="utf-8"))
    print_earlier(numbers)
    print_line(f"report: {(out or run) / PAGE}")
    if as_json:
        emit_json(numbers)


def _print(scored: ScoredSheets) -> None:
    from rich.table import Table
    from rich.text import Text

    from steelsight.reports.cells import cell_text
    from steelsight.runs.abstention.confidence import SCORE_TITLES

    table = Table("confidence", box=None, pad_edge=False)
    for head in ("AURC", "coverage at 99 %", "at 95 %"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in scored.scores:
        shown = (f"{row.aurc:.4f}", cell_text(row.coverage_99, 2), cell_text(row.coverage_95, 2))
        table.add_row(SCORE_TITLES[row.name], *map(Text, shown))
    console.print(table)
    for name, certificates in scored.certificates.items():
        for certificate in certificates:
            print_line(f"{SCORE_TITLES[name]}: {certificate.statement}")
