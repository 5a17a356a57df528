"""`steelsight inspect transplant RUN DONOR DATA`: whose weights a model could live with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import AllowBadOption, GroupsOption, JsonFlag, console, emit_json

__all__ = ["transplant"]

REPORT, NUMBERS = "report.html", "transplant.json"


def transplant(
    run: Annotated[
        Path, typer.Argument(help="RUN that receives, such as the multi-class model.", metavar="RUN")
    ],
    donor: Annotated[Path, typer.Argument(help="RUN that gives, such as the binary model.", metavar="DONOR")],
    data: Annotated[
        Path, typer.Argument(help="Folder in Kaggle's layout, or one folder per class.", metavar="DATA")
    ],
    out: Annotated[Path | None, typer.Option(help="Default: RUN/transplant.", metavar="DIR")] = None,
    controls: Annotated[
        str | None,
        typer.Option(
            help="What else gives, joined by commas: imagenet or start (never trained), random, seed:RUN "
            "(same task, another seed), shuffled:RUN (trained with labels.shuffle_seed). Default: the start "
            "and random."
        ),
    ] = None,
    split: Annotated[
        str,
        typer.Option(help="RUN's sheets that judge, where no donor has seen them: unseen, or test."),
    ] = "unseen",
    limit: Annotated[int, typer.Option(min=4, help="At most so many sheets, drawn at random.")] = 2000,
    groups: GroupsOption = None,
    resamples: Annotated[int, typer.Option(min=1, help="Of the bootstrap.")] = 1000,
    allow_bad: AllowBadOption = 0,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the sheets drawn, the random weights, and the bootstrap.")
    ] = 0,
    threads: Annotated[int, typer.Option(min=0, help="Threads; 0 = as many as PyTorch takes.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Replace RUN's weights by DONOR's part by part, from the input, from the output, and each part alone."""
    import torch

    from steelsight.files import replace_file, write_json
    from steelsight.reports.document import Document
    from steelsight.runs.transplant.options import TransplantOptions
    from steelsight.runs.transplant.page import write_transplant_results
    from steelsight.runs.transplant.reading import describe_transplant, transplant_json
    from steelsight.runs.transplant.run import open_transplant
    from steelsight.sheets.options import DataOptions
    from steelsight.training.conclude import environment

    if threads:
        torch.set_num_threads(threads)
    with console.status("transplanting"):
        done, sheets = open_transplant(
            run,
            donor,
            data,
            TransplantOptions(
                None if controls is None else tuple(text for text in controls.split(",") if text.strip()),
                split,
                limit,
                resamples,
                seed,
            ),
            DataOptions(groups, allow_bad),
        )
    folder = out if out is not None else run / "transplant"
    page = Document("Transplanted weights", subtitle=f"{donor.name} into {run.name}, {sheets.name}, {split}")
    page.chapter("Weights exchanged")
    write_transplant_results(page, done)
    page.footer({"data": f"{sheets.name} ({sheets.data_hash})", "seed": seed, **environment()})
    numbers = {
        "run": str(run),
        "donor": str(donor),
        "data": sheets.name,
        "data_hash": sheets.data_hash,
        "split": split,
        "seed": seed,
        "resamples": resamples,
        **transplant_json(done),
        "environment": environment(),
    }
    page.save(folder / REPORT)
    for name, png in page.pictures():
        replace_file(folder / "figures" / f"{name}.png", png)
    write_json(folder / NUMBERS, numbers)
    for line in (*describe_transplant(done), *done.notes):
        console.print(line, markup=False, soft_wrap=True)
    console.print(f"report: {folder / REPORT}", markup=False, soft_wrap=True)
    if as_json:
        emit_json({"out": str(folder), **numbers})
