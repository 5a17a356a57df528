"""`steelsight confidence RUN DATA`: what a model's confidence is worth, by every score there is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import AllowBadOption, GroupsOption, JsonFlag, console, emit_json

__all__ = ["confidence"]


def confidence(
    run: Annotated[Path, typer.Argument(help="RUN folder, or a folder of `train --folds`.", metavar="RUN")],
    data: Annotated[Path, typer.Argument(help="DATA folder it was trained on.", metavar="DATA")],
    split: Annotated[str, typer.Option(help="Which sheets judge: test, or unseen.")] = "test",
    on: Annotated[
        Path | None, typer.Option(help="Another DATA folder whose unseen sheets judge.", metavar="DATA")
    ] = None,
    groups: GroupsOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Where confidence.html and confidence.json go; default RUN.")
    ] = None,
    allow_bad: AllowBadOption = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap and of each group's sheet.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Compare confidence scores: area under risk over coverage, coverage at 99 and 95 % right answers."""
    from rich.table import Table
    from rich.text import Text

    from steelsight.plain import plain
    from steelsight.reports.cells import cell_text
    from steelsight.runs.abstention.confidence import SCORE_TITLES
    from steelsight.runs.abstention.confidence_scores import NUMBERS, PAGE, compare_confidence_scores
    from steelsight.sheets.options import DataOptions

    with console.status("judging"):
        judged = compare_confidence_scores(
            run, data, DataOptions(groups, allow_bad), part=split, on=on, seed=seed, out=out
        )
    table = Table("confidence", box=None, pad_edge=False)
    for head in ("AURC", "coverage at 99 %", "at 95 %"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in judged.scores:
        shown = (f"{row.aurc:.4f}", cell_text(row.coverage_99, 2), cell_text(row.coverage_95, 2))
        table.add_row(SCORE_TITLES[row.name], *map(Text, shown))
    console.print(table)
    for name, several in judged.certificates.items():
        for found in several:
            console.print(f"{SCORE_TITLES[name]}: {found.statement}", markup=False, soft_wrap=True)
    console.print(f"report: {(out or run) / PAGE}", markup=False, soft_wrap=True)
    if as_json:
        import json

        emit_json(plain(json.loads(((out or run) / NUMBERS).read_text(encoding="utf-8"))))
