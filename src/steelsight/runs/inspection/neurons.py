"""What drives single neurons of a run: an atlas, and the same neurons in a second run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from steelsight.errors import BadInput, BadRecipe, UnknownLayer
from steelsight.files import EarlierResult, add_files, write_json
from steelsight.inspection.neurons.atlas import Atlas, AtlasPlan, NeuronSheets, make_atlas
from steelsight.inspection.neurons.page import (
    atlas_figure,
    forms_figure,
    growth_figure,
    neuron_pairs_figure,
    write_atlas,
    write_neuron_pairs,
)
from steelsight.inspection.neurons.pairs import PairedNeurons, compare_neurons
from steelsight.inspection.neurons.settings import GROWN, PLAIN, Ascent, Neuron
from steelsight.inspection.neurons.survey import surveyed_layers
from steelsight.models.capture import find_layer
from steelsight.models.checkpoint import load_checkpoint
from steelsight.reports.document import Document
from steelsight.reports.figures import save_figure
from steelsight.reports.figures.style import svg_wanted
from steelsight.runs.inspection.options import NeuronOptions
from steelsight.runs.opening.open import OpenRun, open_run
from steelsight.runs.settings import result_settings
from steelsight.sheets.images.pixels import read_sheet
from steelsight.streams import stream
from steelsight.version import __version__

__all__ = ["NeuronReport", "inspect_neurons", "plan_atlas", "read_neuron", "show_sheets"]

REPORT, NUMBERS, FIGURES = "neurons.html", "neurons.json", "figures"
DRAWN = ("atlas", "pairs", "growth", "twins")  # figures that are files, where there is something to draw


@dataclass(frozen=True)
class NeuronReport:
    """An atlas that was written to a folder."""

    folder: Path
    atlas: Atlas
    numbers: dict[str, Any]  # of neurons.json

    @property
    def page(self) -> Path:
        """The report."""
        return self.folder / REPORT


def inspect_neurons(
    run: Path,
    data: Path,
    options: NeuronOptions,
    *,
    out: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> NeuronReport:
    """Make the atlas of a run's neurons, and write page, numbers and figures.

    out     folder to write; None = RUN/neurons
    raises  BadRecipe for a neuron or value that does not exist; UnknownLayer; BadData, BadInput
    """
    plan = plan_atlas(options)
    _refuse_unknown_layers(run, options, plan)
    folder = out if out is not None else run / "neurons"
    opened = open_run(run, data, options)
    if options.start is not None:
        plan = replace(plan, start=read_sheet(options.start, opened.card.input))
    seed = options.seed
    shown = show_sheets(opened, options.split, limit=options.limit, rng=stream(seed, "neuron-sheets"))
    layers = options.layer or surveyed_layers(opened.model)
    atlas = make_atlas(
        opened.model, shown, layers, plan, rng=stream(seed, "neuron-atlas"), seed=seed, say=say
    )
    numbers: dict[str, Any] = {
        "run": str(run), "data": opened.data.name, "reading": opened.data.reading,
        "split": options.split, "seed": seed, **atlas.as_dict()
    }  # fmt: skip
    pairs = None
    if options.against is not None:
        say("the same neurons in the other model")
        pairs = _compare(opened, options.against, atlas, _plain(options), seed)
        numbers["with"] = {"run": str(options.against), **pairs.as_dict()}
    say("drawing")
    names = (run.name, options.against.name if options.against else "")
    settings = result_settings(
        "inspect neurons", options, cards=[opened.card], data_hash=opened.data.data_hash
    )
    earlier = EarlierResult(folder, NUMBERS, settings)
    earlier.keep(REPORT, *(f"{FIGURES}/{name}.png" for name in DRAWN))
    numbers |= earlier.facts([REPORT])
    _write(folder, atlas, pairs, names, opened, numbers)
    return NeuronReport(folder, atlas, numbers)


def _refuse_unknown_layers(run: Path, options: NeuronOptions, plan: AtlasPlan) -> None:
    """Raise UnknownLayer for an option that names none of the model's, before DATA is read."""
    model = load_checkpoint(run)[0]
    named = [("--layer", name) for name in options.layer]
    for flag, name in (*named, *(("--neuron", neuron.layer) for neuron in plan.neurons)):
        try:
            find_layer(model, name)
        except UnknownLayer as error:
            raise UnknownLayer(f"{flag}: {error}") from error


def plan_atlas(options: NeuronOptions) -> AtlasPlan:
    """Which neurons, and how their images are optimised; raises BadRecipe for a neuron that is misspelt."""
    grown = replace(GROWN, kernels=options.kernel) if options.kernel else GROWN
    return AtlasPlan(
        count=options.count,
        choose=options.choose,
        neurons=tuple(read_neuron(text) for text in options.neuron),
        plain=None if options.form == "grown" else _plain(options),
        grown=None if options.form == "plain" else _ascent(grown, options),
    )


def read_neuron(text: str) -> Neuron:
    """Parse LAYER:CHANNEL or LAYER:CHANNEL@ROW,COLUMN; raises BadRecipe for anything else."""
    layer, _, rest = text.rpartition(":")
    channel, _, place = rest.partition("@")
    parts = place.split(",") if place else []
    if not layer or not channel.isdecimal() or len(parts) not in (0, 2) or not all(map(str.isdecimal, parts)):
        raise BadRecipe(
            f"--neuron {text!r}: expected LAYER:CHANNEL or LAYER:CHANNEL@ROW,COLUMN, such as features.9:12"
        )
    return Neuron(layer, int(channel), (int(parts[0]), int(parts[1])) if parts else None)


def show_sheets(run: OpenRun, part: str, *, limit: int, rng: np.random.Generator) -> NeuronSheets:
    """The sheets of one part of a run, at most `limit`, drawn at random."""
    rows = run.positions(part)
    if rows.size > limit:
        rows = np.sort(rng.permutation(rows)[:limit])
    groups = [run.groups[i] for i in rows.tolist()]
    labels = np.asarray(run.data.keys if run.card.task != "multilabel" else _first_types(run))[rows]
    names = run.card.class_names if run.card.task != "multilabel" else run.data.type_names
    return NeuronSheets(
        np.array(run.data.images[rows]),
        labels.astype(np.int64),
        tuple(names),
        tuple(run.data.ids[i] for i in rows.tolist()),
        groups if any(groups) else None,
        0 if run.card.task == "multilabel" else run.card.clean,
    )


def _first_types(run: OpenRun) -> list[int]:
    """One type a sheet for tables by class; sheets of several types count in none."""
    return [-1 if len(item.types) > 1 else item.types[0] if item.types else 0 for item in run.data.items]


def _plain(options: NeuronOptions) -> Ascent:
    return _ascent(replace(PLAIN, steps=options.steps), options)


def _ascent(ascent: Ascent, options: NeuronOptions) -> Ascent:
    """An optimisation with what both forms share."""
    return replace(
        ascent,
        clip=options.clip,
        colour=options.colour,
        jitter=options.jitter,
        variation=options.variation,
        fourier=options.fourier,
        precision=options.precision,
    )


def _compare(run: OpenRun, against: Path, atlas: Atlas, ascent: Ascent, seed: int) -> PairedNeurons:
    """The atlas' neurons in both models, by images of one kind."""
    other, _ = load_checkpoint(against)
    same = [p.neuron for page in atlas.layers for p in page.profiles if page.layer != "head"]
    if not same:
        raise BadInput("--with: expected neurons of a layer both models have, got only logits")
    return compare_neurons(run.model, other, same, ascent, seed=seed, rng=stream(seed, "neuron-pairs"))


def _write(
    folder: Path,
    atlas: Atlas,
    pairs: PairedNeurons | None,
    names: tuple[str, str],
    run: OpenRun,
    numbers: dict[str, Any],
) -> None:
    """Write the page, its numbers and its figures."""
    document = Document("What drives the neurons", subtitle=f"{run.card.model.name} on {run.data.name}")
    write_atlas(document, atlas)
    figures = {"atlas": atlas_figure(atlas), "pairs": forms_figure(atlas.layers, each=6)}
    grown = [p for page in atlas.layers for p in page.profiles if p.stages]
    if grown:
        figures["growth"] = growth_figure(grown[-1])
    if pairs is not None:
        document.chapter("The same neurons in another model", id="twins")
        write_neuron_pairs(document, pairs, names=names)
        figures["twins"] = neuron_pairs_figure(pairs, names=names)
    document.footer(
        {
            "Steelsight": __version__,
            "Data": run.data.name,
            "Data hash": run.data.data_hash,
            "Groups": run.data.grouping,
            "Read as": run.data.reading,
            "Seed": numbers["seed"],
        }
    )
    drawn = {name: figure for name, figure in figures.items() if figure is not None}
    add_files(numbers, _figure_files(document, list(drawn)))
    document.save(folder / REPORT, **numbers)
    for name, figure in drawn.items():
        save_figure(figure, folder / FIGURES / f"{name}.png")
    write_json(folder / NUMBERS, {**document.as_dict(), **numbers})


def _figure_files(document: Document, drawn: Sequence[str]) -> list[str]:
    """Names of the files of all figures, those of the page included."""
    suffixes = (".png", ".svg") if svg_wanted() else (".png",)
    return [*(f"{FIGURES}/{name}{end}" for name in drawn for end in suffixes), *document.figure_files()]
