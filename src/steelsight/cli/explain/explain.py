"""`explain`: why a model says what it says of these images, as figures and numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from steelsight.cli.console import JsonFlag, console, emit_json
from steelsight.errors import BadInput, BadRecipe
from steelsight.files import write_json
from steelsight.types import Rejection

__all__ = ["METHODS", "explain"]

METHODS = (  # of explanations.catalog, written out so that `--help` need not load torch
    "gradcam",
    "guided_gradcam",
    "guided_backprop",
    "integrated_gradients",
    "deeplift",
    "deepshap",
    "lime",
    "gradient",
)
REPORT = "explanations.json"
CHUNK = 16  # sheets held in memory at a time, with their maps: a folder may hold thousands


def explain(
    run: Annotated[Path, typer.Argument(help="RUN folder of a trained model.")],
    images: Annotated[
        list[Path], typer.Argument(help="Image files, or folders of them; with --errors one DATA folder.")
    ],
    method: Annotated[str, typer.Option(help=f"One of: {', '.join(METHODS)}.")] = METHODS[0],
    data: Annotated[
        Path | None, typer.Option(help="DATA folder of the images: gives masks and true classes.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where figures go. Default: RUN/explanations.")] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="Class to map, by name or number; repeatable. Default: all.")
    ] = None,
    errors: Annotated[
        bool, typer.Option("--errors", help="A page of all wrong verdicts on DATA, the surest first.")
    ] = False,
    split: Annotated[
        str, typer.Option(help="With --errors, which sheets: test, validation, train, or unseen.")
    ] = "test",
    most: Annotated[int, typer.Option(min=1, help="With --errors, sheets drawn of each kind.")] = 40,
    as_json: JsonFlag = False,
) -> None:
    """Show where a model saw its reason: red speaks for a class, blue against it.

    Masks are outlined where DATA, or a mask of the same name beside the image, gives them. An image that
    cannot be read is set aside with its reason, the others are explained, and the exit code is 2.
    """
    from rich.progress import track

    from steelsight.explanations.gallery import report_rows, save_figures
    from steelsight.explanations.sources import find_items, read_items
    from steelsight.explanations.verdicts import explain_images, find_classes
    from steelsight.models.checkpoint import load_checkpoint

    if method not in METHODS:
        raise BadRecipe(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    if errors:
        _show_errors(run, images, method, out, split, most, as_json)
        return
    model, card = load_checkpoint(run)
    model.refuse_patches(str(run))
    targets = find_classes(target or [], card) or None
    items, type_names = find_items(images, data)
    folder = out if out is not None else run / "explanations"
    rows: list[dict[str, Any]] = []
    set_aside: list[Rejection] = []
    taken: set[str] = set()
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    for chunk in track(chunks, f"explaining {len(items)} sheets", console=console, transient=True):
        sheets, bad = read_items(chunk, card.input, type_names)
        set_aside += bad
        explanations = explain_images(
            model, card, [sheet.gray for sheet in sheets], targets=targets, method=method
        )
        figures = save_figures(sheets, explanations, card.class_names, folder, method=method, taken=taken)
        rows += report_rows(sheets, explanations, card.class_names, figures)
    if not rows:
        first = f"; the first: {set_aside[0].reason}" if set_aside else ""
        raise BadInput(f"expected images to explain, none of {len(items)} can be read{first}")
    result: dict[str, Any] = {
        "run": str(run),
        "method": method,
        "out": str(folder),
        "sheets": rows,
        "set_aside": [asdict(rejection) for rejection in set_aside],
    }
    write_json(folder / REPORT, result)
    _tell(result)
    if as_json:
        emit_json(result)
    if set_aside:
        raise typer.Exit(2)


def _show_errors(
    run: Path, data: list[Path], method: str, out: Path | None, split: str, most: int, as_json: bool
) -> None:
    """The gallery of wrong verdicts."""
    from steelsight.runs.mistakes import write_mistakes_page
    from steelsight.runs.open import open_runs

    if len(data) != 1:
        raise BadInput(f"--errors: expected one DATA folder, got {len(data)} paths; give one")
    folder = out if out is not None else run / "explanations"
    with console.status("opening") as status:
        runs = open_runs(run, data[0])
        told = write_mistakes_page(
            folder / "errors.html", runs, split, method=method, most=most, say=status.update
        )
    kinds = Counter(mistake["kind"] for mistake in told["mistakes"])
    words = ", ".join(f"{count} {kind}s" for kind, count in kinds.items()) or "none wrong"
    console.print(f"{told['sheets']} sheets: {words}", markup=False)
    console.print(f"gallery: {folder / 'errors.html'}", markup=False, soft_wrap=True)
    if as_json:
        emit_json({"run": str(run), "out": str(folder), **told})


def _tell(result: dict[str, Any]) -> None:
    """The same for people: verdicts, what was set aside, where to look."""
    for row in result["sheets"]:
        line = f"{Path(row['image']).name}  {row['verdict']}  {row['confidence']:.3f}"
        console.print(
            line + (f"  true: {row['truth']}" if row["truth"] else ""), markup=False, soft_wrap=True
        )
    for rejection in result["set_aside"]:
        console.print(f"set aside: {rejection['id']}: {rejection['reason']}", markup=False, soft_wrap=True)
    count = len(result["sheets"])
    console.print(f"{count} figure(s) and {REPORT} in {result['out']}", markup=False, soft_wrap=True)
