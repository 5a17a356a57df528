"""`steelsight robustness RUN DATA`: what noise and a bad camera do to a trained model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from steelsight.cli.console import AllowBadOption, JsonFlag, console, emit_json
from steelsight.errors import BadData, BadInput

__all__ = ["robustness"]


def robustness(
    run: Annotated[Path, typer.Argument(help="RUN folder of a trained model.", metavar="RUN")],
    data: Annotated[
        Path, typer.Argument(help="Folder in Kaggle's layout, or one folder per class.", metavar="DATA")
    ],
    split: Annotated[
        str, typer.Option(help="unseen: whatever the run did not learn from; test, validation or train.")
    ] = "unseen",
    limit: Annotated[int, typer.Option(min=1, help="At most so many sheets, drawn at random.")] = 500,
    out: Annotated[Path | None, typer.Option(help="Default: RUN/robustness-SPLIT.", metavar="DIR")] = None,
    allow_bad: AllowBadOption = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the sheets drawn and of the noise.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Sweep noise, blur, exposure, compression, dead columns and vibration, and draw the curves."""
    import numpy as np
    from rich.progress import track

    from steelsight.reports.document import Document
    from steelsight.reports.figures import draw_sweep
    from steelsight.runs.open import open_run
    from steelsight.runs.robustness import DISTURBANCES, sweep_disturbances
    from steelsight.sheets.options import DataOptions
    from steelsight.streams import stream

    judged = open_run(run, data, DataOptions(allow_bad=allow_bad))
    if judged.card.task == "multilabel":
        raise BadInput(f"{run}: expected a binary or multiclass model, got multilabel")
    rows = np.array([i for i in judged.positions(split).tolist() if judged.data.keys[i] >= 0], dtype=np.int64)
    if not rows.size:
        raise BadData(f"{data}: expected {split} sheets of the run with one answer, found none")
    rows = np.sort(stream(seed, "robustness-sheets").permutation(rows)[:limit])
    images, labels = np.asarray(judged.data.images[rows]), judged.data.keys[rows]
    names = [judged.groups[i] for i in rows.tolist()]
    page = Document("What noise and the camera do", subtitle=f"{run.name} on {data.resolve().name}, {split}")
    page.chapter("Curves", lead=f"{rows.size} sheets; level 0 is the sheets as they are.")
    found: dict[str, Any] = {}
    for kind, (title, unit) in track(
        DISTURBANCES.items(), f"disturbing {rows.size} sheets", console=console, transient=True
    ):
        points = sweep_disturbances(
            judged.model, images, labels, (kind,), seed=seed, groups=names if any(names) else None
        )[kind]
        found[kind] = {"unit": unit, "points": [asdict(point) for point in points]}
        words = f"{title}: balanced accuracy {points[0].balanced_accuracy:.2f} → " + ", ".join(
            f"{point.balanced_accuracy:.2f} at {point.level:g}" for point in points[1:]
        )
        marked = 0.15 if "noise" in kind else None
        figure = draw_sweep({run.name: points}, title=title, unit=unit, marked=marked)
        page.figure(figure, id=kind, alt=words, caption=words)
        console.print(f"  {words}", markup=False, soft_wrap=True)
    folder = out if out is not None else run / f"robustness-{split}"
    page.footer({"data": f"{judged.data.name} ({judged.data.data_hash})", "seed": seed})
    result = {"run": str(run), "split": split, "sheets": int(rows.size), "seed": seed, "curves": found}
    page.save(folder / "report.html", **result)
    console.print(f"report: {folder / 'report.html'}", markup=False, soft_wrap=True)
    if as_json:
        emit_json(result)
