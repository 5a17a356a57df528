"""`steelsight synth OUT`: draw synthetic sheets with defects, masks and known nuisances."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import JsonFlag, console, emit_json, progress_bar
from steelsight.cli.options import draws_figures, expand_options
from steelsight.runs.data.options import SynthOptions

__all__ = ["synth"]


@draws_figures
@expand_options
def synth(
    out: Annotated[
        Path, typer.Argument(help="Folder to write: train_images/, train.csv, truth.csv, spec.json.")
    ],
    options: SynthOptions,
    as_json: JsonFlag = False,
) -> None:
    """Draw synthetic steel sheets: images, masks, and the truth about stains, ends and light."""
    from steelsight.api.lab.synthetic import synth as draw_sheets

    with progress_bar("drawing") as progress:
        done = draw_sheets(out, options=options, progress=lambda event: progress(event.done, event.total))
    console.print(f"{done.report['sheets']} sheets in {done.report['seconds']:.1f} s: {out}")
    if as_json:
        emit_json(done.as_dict())
