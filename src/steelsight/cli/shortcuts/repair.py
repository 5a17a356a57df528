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
    from steelsight.shortcuts.repair.methods_run import RepairOutcome

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
    from steelsight.shortcuts.repair.conclusion import is_repaired
    from steelsight.shortcuts.repair.report import headline
    from steelsight.shortcuts.repair.run import PAGE, repair_run
    from steelsight.training.loop.progress import ConsoleProgress

    with chosen_executor(ray) as executor, ConsoleProgress(console) as watcher:
        report = repair_run(
            run,
            data,
            nuisance,
            options,
            out=out,
            watcher=watcher,
            say=print_line,
            executor=executor,
        )
    _print_outcome(report.repair)
    summary = headline(report.repair, report.numbers["nuisance"], report.numbers["suspect"])
    print_line(summary)
    if report.repair.best.run is not None:
        proofs = (each.evaluation.proof for each in (report.repair.before, report.repair.best))
        print_line(f"{'repaired' if is_repaired(*proofs) else 'retrained'} run: {report.repair.best.run}")
    print_earlier(report.numbers)
    print_line(f"report: {report.folder / PAGE}")
    if as_json:
        emit_json({"out": str(report.folder), **report.numbers})


def _print_outcome(outcome: RepairOutcome) -> None:
    """Print a table of all methods, and the methods that could not be done."""
    from rich.table import Table
    from rich.text import Text

    from steelsight.reports.cells import cell_text

    table = Table("method", "verdict", box=None, pad_edge=False)
    for head in ("flips beyond control", "accuracy", "correct with and without (validation)"):
        table.add_column(head, justify="right")
    for each in (outcome.before, *outcome.after):
        pasted = each.evaluation.proof.pasted
        cells = (
            each.name,
            each.evaluation.proof.verdict,
            "" if pasted is None else cell_text(pasted.excess),
            cell_text(each.metrics["accuracy"]),
            f"{each.robust:.3f}",
        )
        table.add_row(*map(Text, cells))
    console.print(table)
    for name, reason in outcome.impossible.items():
        print_line(f"{name} could not be done: {reason}")
