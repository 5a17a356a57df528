"""`steelsight inspect layers RUN DATA`: what each layer separates, beside nets that never learnt it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steelsight.cli.console import AllowBadOption, JsonFlag, console, emit_json, telling
from steelsight.errors import BadInput, UnknownLayer
from steelsight.files import write_json

if TYPE_CHECKING:
    from steelsight.inspection.probes.separability import Separability

__all__ = ["layers"]

REPORT, FIGURES, NUMBERS = "report.html", "figures", "layers.json"


def layers(
    run: Annotated[Path, typer.Argument(help="RUN folder, binary or multi-class.", metavar="RUN")],
    data: Annotated[Path, typer.Argument(help="DATA folder it was trained on.", metavar="DATA")],
    layer: Annotated[
        str | None,
        typer.Option("--layers", help="Names joined by commas; default all. A wrong one lists them."),
    ] = None,
    fit: Annotated[str, typer.Option(help="The part probes are fitted on: train or validation.")] = "train",
    split: Annotated[
        str, typer.Option(help="The part that judges: test, validation, or unseen by the run.")
    ] = "test",
    controls: Annotated[
        str | None, typer.Option(help="Of imagenet, random and shuffled, joined by commas; default all.")
    ] = None,
    sheets: Annotated[int, typer.Option(min=1, help="At most so many sheets, both parts together.")] = 2000,
    tsne: Annotated[
        int, typer.Option(min=0, help="At most so many judging sheets on the t-SNE maps; 0 = no maps.")
    ] = 500,
    perplexity: Annotated[
        float | None, typer.Option(help="Of t-SNE; default 30, or a third of few sheets.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Default: RUN/layers-SPLIT.", metavar="DIR")] = None,
    allow_bad: AllowBadOption = 0,
    seed: Annotated[
        int, typer.Option(min=0, help="Of drawn sheets, projections, controls, t-SNE and the bootstrap.")
    ] = 0,
    threads: Annotated[int, typer.Option(min=0, help="Threads; 0 = as many as PyTorch takes.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Probe every layer with a logistic regression and map it by t-SNE.

    Beside the network stand the same structure with ImageNet's weights and with random ones, and the network
    itself probed for labels dealt anew: what these separate too, training did not teach.
    """
    import torch

    from steelsight.inspection.probes.controls import choose_controls
    from steelsight.inspection.probes.embedding import MapSpec
    from steelsight.inspection.probes.layers import choose_layers
    from steelsight.inspection.probes.report import describe_layers, layers_json
    from steelsight.runs.inspection.layers import probe_layers, write_layers_page
    from steelsight.runs.open import open_run
    from steelsight.sheets.options import DataOptions

    if threads:
        torch.set_num_threads(threads)
    wanted = choose_controls(controls)
    folder = out if out is not None else run / f"layers-{split}"
    with telling("opening") as say:
        judged = open_run(run, data, DataOptions(allow_bad=allow_bad))
        try:
            chosen = choose_layers(judged.model, _names(layer))
        except UnknownLayer as error:  # here it is an option that names none
            raise BadInput(f"--layers: {error}") from error
        found = probe_layers(
            judged,
            layers=chosen,
            fit=fit,
            split=split,
            limit=sheets,
            controls=wanted,
            maps=MapSpec(tsne, perplexity, seed) if tsne else None,
            seed=seed,
            say=say,
        )
        numbers: dict[str, Any] = {
            "run": str(run),
            "data": judged.data.name,
            "fit": fit,
            "split": split,
            **layers_json(found),
        }
        say("drawing")
        write_layers_page(folder / REPORT, found, judged, fit=fit, split=split)
    write_json(folder / NUMBERS, numbers)
    _tell(found)
    console.print(describe_layers(found), markup=False, soft_wrap=True)
    console.print(f"report: {folder / REPORT}", markup=False, soft_wrap=True)
    if as_json:
        emit_json({"out": str(folder), **numbers})


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _tell(found: Separability) -> None:
    """The table for people: accuracy by layer, on averages over places and on the random projection."""
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
