"""`steelsight inspect neurons RUN DATA`: what drives single neurons, as an atlas."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steelsight.cli.console import AllowBadOption, JsonFlag, console, emit_json, telling
from steelsight.errors import BadInput, BadRecipe
from steelsight.files import write_json

if TYPE_CHECKING:
    from steelsight.inspection.neurons.atlas import Atlas
    from steelsight.inspection.neurons.settings import Ascent, Neuron

__all__ = ["neurons"]

REPORT, NUMBERS, FIGURES = "neurons.html", "neurons.json", "figures"


class Form(StrEnum):
    """Which images are made."""

    PLAIN = "plain"
    GROWN = "grown"
    BOTH = "both"


class Choose(StrEnum):
    """Which neurons are shown."""

    TELLING = "telling"
    DRAWN = "drawn"


def neurons(
    run: Annotated[Path, typer.Argument(help="RUN folder of a trained model.", metavar="RUN")],
    data: Annotated[Path, typer.Argument(help="DATA folder whose sheets it is shown.", metavar="DATA")],
    layer: Annotated[
        list[str] | None, typer.Option(help="Layer by its name; repeatable. Default: every Fire and ReLU.")
    ] = None,
    neuron: Annotated[
        list[str] | None,
        typer.Option(help="LAYER:CHANNEL, or LAYER:CHANNEL@ROW,COLUMN for one place; repeatable."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Neurons a layer.")] = 8,
    choose: Annotated[
        Choose, typer.Option(help="Those that tell classes apart best, or drawn at random.")
    ] = Choose.TELLING,
    form: Annotated[
        Form, typer.Option(help="plain; grown: resized and blurred, the study's second form; or both.")
    ] = Form.BOTH,
    against: Annotated[
        Path | None,
        typer.Option(
            "--with", help="Another RUN of the same network: the same neurons there.", metavar="RUN"
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of the plain form.")] = 256,
    kernel: Annotated[
        list[int] | None, typer.Option(min=1, help="Of the second form's blur; of several the widest good.")
    ] = None,
    clip: Annotated[bool, typer.Option(help="Keep images between black and white.")] = True,
    colour: Annotated[bool, typer.Option("--colour", help="Three channels, as no sheet has.")] = False,
    jitter: Annotated[int, typer.Option(min=0, help="Move images by so many pixels a step.")] = 0,
    variation: Annotated[float, typer.Option(min=0, help="Weight of total variation.")] = 0.0,
    fourier: Annotated[float, typer.Option(min=0, help="1 = scale waves by 1/f; 0.5 is milder.")] = 0.0,
    start: Annotated[Path | None, typer.Option(help="Start from this image instead of noise.")] = None,
    split: Annotated[str, typer.Option(help="Sheets shown: test, validation, train, or unseen.")] = "test",
    limit: Annotated[int, typer.Option(min=2, help="Sheets shown, at most; drawn at random.")] = 2000,
    precision: Annotated[str, typer.Option(help="fp32; bf16 is faster where the processor has it.")] = "fp32",
    out: Annotated[Path | None, typer.Option(help="Default: RUN/neurons.", metavar="DIR")] = None,
    allow_bad: AllowBadOption = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of starts, jitter, draws and resampling.")] = 0,
    threads: Annotated[int, typer.Option(min=0, help="Threads; 0 = as many as PyTorch takes.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Draw the image that drives each neuron, the real crops that do, and its answer to each class."""
    import torch

    from steelsight.inspection.neurons.atlas import AtlasPlan, make_atlas
    from steelsight.inspection.neurons.pairs import compare_neurons
    from steelsight.inspection.neurons.settings import GROWN, PLAIN
    from steelsight.inspection.neurons.survey import surveyed_layers
    from steelsight.models.checkpoint import load_checkpoint
    from steelsight.runs.inspection.neurons import show_sheets
    from steelsight.runs.open import open_run
    from steelsight.sheets.images.pixels import read_sheet
    from steelsight.streams import stream

    if threads:
        torch.set_num_threads(threads)
    asked = tuple(_read_neuron(text) for text in neuron or ())

    def prepare(ascent: Ascent, **own: Any) -> Ascent:
        return replace(
            ascent,
            clip=clip,
            colour=colour,
            jitter=jitter,
            variation=variation,
            fourier=fourier,
            precision=precision,
            **own,
        )

    plan = AtlasPlan(
        count=count,
        choose=choose.value,
        neurons=asked,
        plain=None if form == Form.GROWN else prepare(PLAIN, steps=steps),
        grown=None
        if form == Form.PLAIN
        else prepare(GROWN, kernels=tuple(kernel) if kernel else GROWN.kernels),
    )
    folder = out if out is not None else run / "neurons"
    with telling("opening") as say:
        opened = open_run(run, data, allow_bad=allow_bad)
        if start is not None:
            plan = replace(plan, start=read_sheet(start, opened.card.input))
        shown = show_sheets(opened, split, limit=limit, rng=stream(seed, "neuron-sheets"))
        atlas = make_atlas(
            opened.model,
            shown,
            layer or surveyed_layers(opened.model),
            plan,
            rng=stream(seed, "neuron-atlas"),
            seed=seed,
            say=say,
        )
        numbers: dict[str, Any] = {
            "run": str(run), "data": opened.data.name, "split": split, "seed": seed, **atlas.as_dict()
        }  # fmt: skip
        twins = None
        if against is not None:
            say("the same neurons in the other model")
            other, _ = load_checkpoint(against)
            same = [p.neuron for page in atlas.layers for p in page.profiles if page.layer != "head"]
            if not same:
                raise BadInput("--with: expected neurons of a layer both models have, got only logits")
            ascent = plan.plain or prepare(PLAIN, steps=steps)
            twins = compare_neurons(
                opened.model, other, same, ascent, seed=seed, rng=stream(seed, "neuron-pairs")
            )
            numbers["with"] = {"run": str(against), **twins.as_dict()}
        say("drawing")
        _write(folder, atlas, twins, (run.name, against.name if against else ""), opened, numbers)
    _tell(atlas)
    console.print(f"report: {folder / REPORT}", markup=False, soft_wrap=True)
    if as_json:
        emit_json({"out": str(folder), **numbers})


def _write(
    folder: Path, atlas: Atlas, twins: Any, names: tuple[str, str], opened: Any, numbers: dict[str, Any]
) -> None:
    """The page, its numbers and its figures as files."""
    from steelsight.inspection.neurons.page import (
        atlas_figure,
        forms_figure,
        growth_figure,
        neuron_pairs_figure,
        write_atlas,
        write_neuron_pairs,
    )
    from steelsight.reports.document import Document
    from steelsight.reports.figures import save_figure
    from steelsight.version import __version__

    document = Document("What drives the neurons", subtitle=f"{opened.card.model.name} on {opened.data.name}")
    write_atlas(document, atlas)
    figures = {"atlas": atlas_figure(atlas), "pairs": forms_figure(atlas.layers, each=6)}
    grown = [p for page in atlas.layers for p in page.profiles if p.stages]
    if grown:
        figures["growth"] = growth_figure(grown[-1])
    if twins is not None:
        document.chapter("The same neurons in another model", id="twins")
        write_neuron_pairs(document, twins, names=names)
        figures["twins"] = neuron_pairs_figure(twins, names=names)
    document.footer(
        {"Steelsight": __version__, "Data": opened.data.name, "Data hash": opened.data.data_hash,
         "Seed": numbers["seed"]}
    )  # fmt: skip
    document.save(folder / REPORT, **numbers)
    for name, figure in figures.items():
        if figure is not None:
            save_figure(figure, folder / FIGURES / f"{name}.png")
    write_json(folder / NUMBERS, {**document.as_dict(), **numbers})


def _read_neuron(text: str) -> Neuron:
    """LAYER:CHANNEL or LAYER:CHANNEL@ROW,COLUMN."""
    from steelsight.inspection.neurons.settings import Neuron

    layer, _, rest = text.rpartition(":")
    channel, _, place = rest.partition("@")
    parts = place.split(",") if place else []
    if not layer or not channel.isdecimal() or len(parts) not in (0, 2) or not all(map(str.isdecimal, parts)):
        raise BadRecipe(
            f"--neuron {text!r}: expected LAYER:CHANNEL or LAYER:CHANNEL@ROW,COLUMN, such as features.9:12"
        )
    return Neuron(layer, int(channel), (int(parts[0]), int(parts[1])) if parts else None)


def _tell(atlas: Atlas) -> None:
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
