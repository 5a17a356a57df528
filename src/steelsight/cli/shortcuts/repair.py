"""`steelsight shortcuts repair RUN DATA --nuisance stain|end|FILE`: repair a shortcut and prove it again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import JsonFlag, RunArgument, console, emit_json, print_earlier, print_line
from steelsight.cli.executor import RayOption, chosen_executor
from steelsight.cli.options import draws_figures, expand_options
from steelsight.cli.shortcuts.options import NuisanceOption
from steelsight.shortcuts.repair.options import RepairOptions

if TYPE_CHECKING:
    from steelsight.api.results.shortcuts import RepairResult

__all__ = ["repair"]


@draws_figures
@expand_options
def repair(
    run: RunArgument,
    data: Annotated[Path, typer.Argument(help="The DATA folder it was trained on.", metavar="DATA")],
    nuisance: NuisanceOption,
    options: RepairOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write. Default: RUN/shortcuts/repair-NAME.", metavar="DIR")
    ] = None,
    ray: RayOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Retrain with every repair method, choose one on validation sheets, and prove again on others.

    Each method leaves a RUN folder in DIR, ready for evaluate, explain and export.
    """
    from steelsight.api.lab.run import Run
    from steelsight.api.progress import console_progress

    with chosen_executor(ray) as executor, console_progress(console) as progress:
        done = Run(run).repair(data, nuisance, out=out, options=options, progress=progress, executor=executor)
    _print_outcome(done)
    print_line(done.title)
    if done.best is not None:
        print_line(f"{'repaired' if done.repaired else 'retrained'} run: {done.best}")
    print_earlier(done.report.numbers)
    print_line(f"report: {done.page}")
    if as_json:
        emit_json(done.as_dict())


def _print_outcome(done: RepairResult) -> None:
    """Print a table of all methods, and the methods that could not be done."""
    from rich.table import Table
    from rich.text import Text

    from steelsight.reports.cells import cell_text

    found = done.table()
    table = Table(*found.titles[:2], box=None, pad_edge=False)
    for head in found.titles[2:]:
        table.add_column(head, justify="right")
    for name, verdict, excess, accuracy, robust in found.rows:
        flips = "" if excess is None else cell_text(excess)
        table.add_row(*map(Text, (name, verdict, flips, cell_text(accuracy), f"{robust:.3f}")))
    console.print(table)
    for name, reason in done.report.repair.impossible.items():
        print_line(f"{name} could not be done: {reason}")
