"""`steelsight inspect neurons RUN DATA`: an atlas of what drives single neurons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import (
    DataArgument,
    JsonFlag,
    RunArgument,
    ThreadsOption,
    console,
    emit_json,
    print_earlier,
    print_line,
    set_threads,
    step_status,
)
from steelsight.cli.options import draws_figures, expand_options
from steelsight.runs.inspection.options import NeuronOptions

if TYPE_CHECKING:
    from steelsight.inspection.neurons.atlas import Atlas

__all__ = ["neurons"]


@draws_figures
@expand_options
def neurons(
    run: RunArgument,
    data: DataArgument,
    options: NeuronOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write. Default: RUN/neurons.", metavar="DIR")
    ] = None,
    threads: ThreadsOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Draw the image and the real crops that drive each neuron, and its response to each class."""
    from steelsight.api.lab.run import Run

    set_threads(threads)
    with step_status("opening") as say:
        done = Run(run).neurons(data, out=out, options=options, progress=lambda event: say(event.message))
    _print(done.report.atlas)
    print_earlier(done.report.numbers)
    print_line(f"report: {done.page}")
    if as_json:
        emit_json(done.as_dict())


def _print(atlas: Atlas) -> None:
    """One line a layer."""
    from rich.table import Table

    table = Table("layer", box=None, pad_edge=False)
    for head in ("channels", "dead", "shown", "achieved over best sheet", "one filter"):
        table.add_column(head, justify="right", no_wrap=True)
    for page in atlas.layers:
        ratios = sorted(p.value / p.best_real for p in page.profiles if p.best_real > 0)
        agreements = sorted(p.agreement for p in page.profiles if p.agreement == p.agreement)
        table.add_row(
            page.layer,
            str(page.channels),
            str(len(page.dead)),
            str(len(page.profiles)),
            f"{ratios[len(ratios) // 2]:.1f} x" if ratios else "–",
            f"{agreements[len(agreements) // 2]:.2f}" if agreements else "–",
        )
    console.print(table)
