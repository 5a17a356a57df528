"""Explains the verdicts of a run on image files: figures, and numbers as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from steelsight.errors import BadInput
from steelsight.explanations.gallery import report_rows, save_figures
from steelsight.explanations.sources import find_items, read_items
from steelsight.explanations.verdicts import explain_images, find_classes
from steelsight.files import write_json
from steelsight.models.checkpoint import load_checkpoint
from steelsight.runs.mistakes import write_mistakes_page
from steelsight.runs.open import open_runs
from steelsight.runs.options import ExplainOptions
from steelsight.runs.reading import read_as_run
from steelsight.types import Rejection

__all__ = ["ERRORS_PAGE", "REPORT", "explain_errors", "explain_files"]

REPORT, ERRORS_PAGE = "explanations.json", "errors.html"
CHUNK = 16  # sheets held in memory at a time, with their maps: a folder may hold thousands


def explain_files(
    run: Path,
    images: Sequence[Path],
    options: ExplainOptions,
    *,
    out: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Any]:
    """Write one figure a sheet and explanations.json; returns its content.

    images   files, or folders of them
    out      folder to write; None = RUN/explanations
    raises   BadInput where no image can be read; BadRecipe for a class that does not exist
    """
    model, card = load_checkpoint(run)
    model.refuse_patches(str(run))
    targets = find_classes(options.target, card) or None
    opening = read_as_run(card, options)
    items, type_names = find_items(images, options.data, opening)
    folder = out if out is not None else run / "explanations"
    rows: list[dict[str, Any]] = []
    set_aside: list[Rejection] = []
    taken: set[str] = set()
    for start in range(0, len(items), CHUNK):
        chunk = items[start : start + CHUNK]
        sheets, bad = read_items(chunk, card.input, type_names)
        set_aside += bad
        grays = [sheet.gray for sheet in sheets]
        explanations = explain_images(model, card, grays, targets=targets, method=options.method)
        figures = save_figures(
            sheets, explanations, card.class_names, folder, method=options.method, taken=taken
        )
        rows += report_rows(sheets, explanations, card.class_names, figures)
        progress(start + len(chunk), len(items))
    if not rows:
        first = f"; the first: {set_aside[0].reason}" if set_aside else ""
        raise BadInput(f"expected images to explain, none of {len(items)} can be read{first}")
    result: dict[str, Any] = {
        "run": str(run),
        "method": options.method,
        "out": str(folder),
        "reading": None if options.data is None else " ".join(opening.reading_words()) or "recognised",
        "sheets": rows,
        "set_aside": [asdict(rejection) for rejection in set_aside],
    }
    write_json(folder / REPORT, result)
    return result


def explain_errors(
    run: Path,
    data: Path,
    options: ExplainOptions,
    *,
    out: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Write one page of the wrong verdicts on DATA; returns its numbers.

    out     folder to write; None = RUN/explanations
    raises  BadData where the part holds no sheet
    """
    folder = out if out is not None else run / "explanations"
    runs = open_runs(run, data, options)
    numbers = write_mistakes_page(
        folder / ERRORS_PAGE, runs, options.split, method=options.method, most=options.most, say=say
    )
    return {"run": str(run), "out": str(folder), **numbers}
