"""`steelsight demo`: generated sheets, or your own, scanned with the package's own model, with a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import JsonFlag, console, emit_json, print_line, progress_bar
from steelsight.runtime.bundle.default import BUNDLE_HELP

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option(help="Folder for sheets, verdicts and report.")] = Path("demo"),
    data: Annotated[
        Path | None, typer.Option(help="Folder of your own images instead of generated ones.", metavar="DIR")
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(help=f"{BUNDLE_HELP} Default: fast.", metavar="BUNDLE", show_default=False),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of generated sheets.")] = 60,
    seed: Annotated[int, typer.Option(help="Seed of the generated sheets.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Scan generated sheets, or your own, with a bundle of the package, and write a report.

    Such a bundle was trained on generated sheets. On your images it shows how Steelsight works, not the
    accuracy that is possible there: train a model on your images for that.
    """
    from steelsight.api.plant.demonstration import draw_demo_sheets, scan_demo

    images = data
    if images is None:
        with progress_bar(f"drawing {count} sheets") as progress:
            images = draw_demo_sheets(
                out, count=count, seed=seed, progress=lambda event: progress(event.done, event.total)
            )
    with console.status("scanning"):
        done = scan_demo(out, images, bundle)
    counts = ", ".join(f"{number} {state}" for state, number in done.report.summary.states.items())
    console.print(f"{done.report.scanned} sheets: {counts}")
    print_line(f"Report: {done.report.page}")
    if as_json:
        emit_json(done.as_dict())
