"""`steelsight league RUN DATA`: explanation methods compared against masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import (
    DataArgument,
    JsonFlag,
    console,
    emit_json,
    print_earlier,
    print_line,
    step_status,
)
from steelsight.cli.options import draws_figures, expand_options
from steelsight.runs.options import LeagueOptions

if TYPE_CHECKING:
    from steelsight.explanations.benchmark.run import League

__all__ = ["league"]


@draws_figures
@expand_options
def league(
    run: Annotated[
        Path,
        typer.Argument(
            help="RUN folder, or a folder of `train --folds`, whose folds are pooled.", metavar="RUN"
        ),
    ],
    data: DataArgument,
    options: LeagueOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write. Default: RUN/league-SPLIT.", metavar="DIR")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Rank explanation methods on sheets with masks, and recommend one with a rule for making masks.

    Method and rule are chosen on the run's validation sheets, or on those of --choose-on, and reported on its
    test sheets, or those of --split. It takes minutes to hours, and says how long before it starts; --methods
    and --limit shorten it. After an interruption the same command continues: finished methods are kept in
    DIR/methods, and used again only for the same model, sheets and settings.
    """
    from steelsight.api.lab.run import Run

    with step_status("opening") as say:
        done = Run(run).league(
            data,
            out=out,
            options=options,
            progress=lambda event: (print_line if event.kind == "note" else say)(event.message),
        )
    _print(done.report.league)
    print_line(done.recommendation)
    print_earlier(done.report.numbers)
    print_line(f"report: {done.page}")
    if as_json:
        emit_json(done.as_dict())


def _print(league: League) -> None:
    """The table of methods, and the ceiling of any map."""
    from rich.table import Table

    table = Table("method", box=None, pad_edge=False)
    for head in ("recall", "precision", "IoU", "Dice", "Dice, own rule", "ms"):
        table.add_column(head, justify="right", no_wrap=True)
    for result in league.results.values():
        means = [
            float(result.scores["study"][name].mean()) for name in ("recall", "precision", "iou", "dice")
        ]
        own = float(result.scores["chosen"]["dice"].mean())
        table.add_row(
            result.candidate.title, *(f"{value:.3f}" for value in (*means, own)), f"{result.time_ms:.1f}"
        )
    console.print(table)
    ceiling = league.ceiling
    console.print(
        f"{league.rule}; input {ceiling.input_size[0]}x{ceiling.input_size[1]}, grid "
        f"{ceiling.grid[0]}x{ceiling.grid[1]}, ceiling {ceiling.by_rule.mean():.3f}, with the best threshold "
        f"{ceiling.by_best.mean():.3f}",
        markup=False,
        soft_wrap=True,
    )
