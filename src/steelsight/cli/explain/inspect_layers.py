"""`steelsight inspect layers RUN DATA`: what each layer separates, beside control networks."""

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
from steelsight.runs.inspection.options import LayerOptions

if TYPE_CHECKING:
    from steelsight.inspection.probes.separability import Separability

__all__ = ["layers"]


@draws_figures
@expand_options
def layers(
    run: RunArgument,
    data: DataArgument,
    options: LayerOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write. Default: RUN/layers-SPLIT.", metavar="DIR")
    ] = None,
    threads: ThreadsOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Probe every layer with a logistic regression and map it by t-SNE.

    Controls: the same network with ImageNet's weights, with random weights, and trained features probed for
    shuffled labels. What these separate as well was not learnt in training.
    """
    from steelsight.api.lab.run import Run

    set_threads(threads)
    with step_status("opening") as say:
        done = Run(run).layers(data, out=out, options=options, progress=lambda event: say(event.message))
    _print(done.report.found)
    print_line(done.title)
    print_earlier(done.report.numbers)
    print_line(f"report: {done.page}")
    if as_json:
        emit_json(done.as_dict())


def _print(found: Separability) -> None:
    """Accuracy by layer, on averages over positions and on the random projection."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("layer", no_wrap=True)
    for net in found.nets:
        table.add_column(net, justify="right", no_wrap=True)
    for number, layer in enumerate(found.layers):
        cells = dict.fromkeys(found.nets, "")
        for (net, _), curve in found.curves.items():
            cells[net] += f"  {curve.accuracy[number].estimate:.2f}"
        table.add_row(layer.title, *cells.values())
    console.print("accuracy of probes: averages over places, random projection")
    console.print(table)
