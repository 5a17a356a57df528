"""`steelsight study DATA --out DIR`: the study's tables and figures on these data, in one report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steelsight.cli.console import (
    DataArgument,
    JsonFlag,
    ThreadsOption,
    console,
    emit_json,
    print_line,
    set_threads,
)
from steelsight.cli.executor import RayOption, chosen_executor
from steelsight.cli.options import draws_figures, expand_options
from steelsight.study.options import StudyOptions

if TYPE_CHECKING:
    from steelsight.study.report import StudyReport
    from steelsight.study.results import StudyResults

__all__ = ["study"]


@draws_figures
@expand_options
def study(
    data: DataArgument,
    out: Annotated[
        Path, typer.Option(help="Folder for report.html, report.json and the runs.", metavar="DIR")
    ],
    options: StudyOptions,
    threads: ThreadsOption = 0,
    ray: RayOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Repeat the study: train its models, and show its tables and figures beside the published ones."""
    from steelsight.api.lab.study import repeat_study
    from steelsight.api.progress import console_progress

    set_threads(threads)
    with chosen_executor(ray) as executor, console_progress(console) as progress:
        done = repeat_study(data, out, options=options, progress=progress, executor=executor)
    _print(done.report)
    if as_json:
        emit_json(done.as_dict())


def _print(report: StudyReport) -> None:
    from rich.table import Table
    from rich.text import Text

    from steelsight.reports.cells import cell_text

    table = Table("network", box=None, pad_edge=False)
    for head in ("accuracy", "at X + 0.15 Z", "AUC there"):
        table.add_column(head, justify="right", no_wrap=True)
    for result in report.binary.results.values():
        shown = (result.clean_report.accuracy, result.noisy_report.accuracy, result.noisy_report.auc)
        table.add_row(result.title, *(Text(cell_text(interval, 2)) for interval in shown))
    console.print(table)
    if not isinstance(report.multiclass, str):
        console.print(_types_table(report.multiclass.study))
    for name, reason in report.binary.skipped.items():
        print_line(f"{name}: {reason}")
    print_line(f"report: {report.path}")


def _types_table(results: StudyResults) -> Any:
    from rich.table import Table
    from rich.text import Text

    from steelsight.reports.cells import cell_text

    table = Table("model of the types", box=None, pad_edge=False)
    for head in ("accuracy at X + 0.15 Z", "balanced", "AUC"):
        table.add_column(head, justify="right", no_wrap=True)
    for result in results.results.values():
        noisy = result.noisy_report
        shown = (noisy.accuracy, noisy.balanced_accuracy, noisy.auc)
        table.add_row(result.title, *(Text(cell_text(interval, 2)) for interval in shown))
    return table
