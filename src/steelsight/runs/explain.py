"""Explains the verdicts of a run on image files: figures, and numbers as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from steelsight.errors import BadInput
from steelsight.explanations.arrays import save_arrays
from steelsight.explanations.catalog import METHODS
from steelsight.explanations.gallery import figure_names, report_rows, save_figures
from steelsight.explanations.sources import find_items, read_items
from steelsight.explanations.verdicts import explain_images, find_classes
from steelsight.files import EarlierResult, keep_earlier, write_json
from steelsight.models.card import Card, temperature_source
from steelsight.models.checkpoint import load_checkpoint
from steelsight.reading import parse_object, read_regular
from steelsight.reports.figures.style import svg_wanted
from steelsight.runs.mistakes import write_mistakes_page
from steelsight.runs.opening.open import open_runs
from steelsight.runs.opening.reading import read_as_run
from steelsight.runs.options import ExplainOptions
from steelsight.runs.settings import result_settings
from steelsight.types import Rejection

__all__ = ["ERRORS_PAGE", "REPORT", "explain_errors", "explain_files"]

REPORT, ERRORS_PAGE, ERRORS = "explanations.json", "errors.html", "errors.json"
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
    settings = _settings("explain", options, card, images=[str(path) for path in images])
    earlier = EarlierResult(folder, REPORT, settings)
    rows: list[dict[str, Any]] = []
    set_aside: list[Rejection] = []
    files: list[str] = []
    taken: set[str] = set()
    for start in range(0, len(items), CHUNK):
        chunk = items[start : start + CHUNK]
        sheets, bad = read_items(chunk, card.input, type_names)
        set_aside += bad
        grays = [sheet.gray for sheet in sheets]
        explanations = explain_images(model, card, grays, targets=targets, method=options.method)
        names = figure_names(sheets, options.method, taken)
        earlier.keep(*(name + end for name in names for end in (".png", ".svg", ".npz")))
        title = METHODS[options.method].title
        figures = save_figures(
            sheets, explanations, card.class_names, folder, names=names, spec=card.input, title=title
        )
        arrays: Sequence[Path | None] = (
            save_arrays(sheets, explanations, card, figures, method=options.method)
            if options.arrays
            else [None] * len(figures)
        )
        drawn = [path.with_suffix(".svg") for path in figures] if svg_wanted() else []
        files += [path.name for path in (*figures, *drawn, *arrays) if path is not None]
        rows += report_rows(sheets, explanations, card.class_names, figures, arrays)
        progress(start + len(chunk), len(items))
    if not rows:
        first = f"; the first: {set_aside[0].reason}" if set_aside else ""
        raise BadInput(f"expected images to explain, none of {len(items)} can be read{first}")
    result: dict[str, Any] = {
        "run": str(run),
        **earlier.facts(files),
        "method": options.method,
        "temperature": card.temperature or 1.0,
        "temperature_from": temperature_source(card),
        "out": str(folder),
        "reading": None if options.data is None else " ".join(opening.reading_words()) or "recognised",
        "sheets": rows,
        "set_aside": [asdict(rejection) for rejection in set_aside],
    }
    if earlier.moved is not None:
        _correct_paths(earlier.moved)
    write_json(folder / REPORT, result)
    return result


def _settings(verb: str, options: ExplainOptions, card: Card, **more: Any) -> dict[str, Any]:
    return result_settings(verb, options, cards=[card], temperature=card.temperature, **more)


def _correct_paths(folder: Path) -> None:
    """Name the places of figures and arrays that moved to this folder with the numbers of their result."""
    try:
        report = parse_object(read_regular(folder / REPORT))
    except (OSError, ValueError):  # none, or damaged: it was moved as it is
        return
    rows = report.get("sheets")
    for row in rows if isinstance(rows, list) and all(isinstance(each, dict) for each in rows) else []:
        for key in ("figure", "arrays"):
            name = row.get(key)
            moved = folder / Path(name).name if name and isinstance(name, str) else None
            if moved is not None and moved.is_file():
                row[key] = str(moved)
    write_json(folder / REPORT, report)


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
    settings = _settings("explain --errors", options, runs[0].card, data_hash=runs[0].data.data_hash)
    kept = keep_earlier(folder, ERRORS, settings, [ERRORS_PAGE])
    numbers = write_mistakes_page(
        folder / ERRORS_PAGE,
        runs,
        options.split,
        method=options.method,
        most=options.most,
        kept=kept,
        say=say,
    )
    return {"run": str(run), "out": str(folder), **numbers}
