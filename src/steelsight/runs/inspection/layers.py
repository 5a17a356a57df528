"""What the layers of a run separate: linear probes and t-SNE maps, beside control networks."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from steelsight.errors import UnknownLayer
from steelsight.files import add_files, keep_earlier, write_json
from steelsight.inspection.probes.controls import (
    SHUFFLED,
    TRAINED,
    build_controls,
    choose_controls,
)
from steelsight.inspection.probes.embedding import MapSpec
from steelsight.inspection.probes.layers import choose_layers
from steelsight.inspection.probes.report import (
    layers_json,
    maps_figure,
    probes_figure,
    write_maps,
    write_probes,
)
from steelsight.inspection.probes.selection import ProbeParts, choose_sheets
from steelsight.inspection.probes.separability import ProbeOptions, Separability, inspect_layers
from steelsight.models.catalog import SheetClassifier, find_model
from steelsight.models.checkpoint import load_checkpoint
from steelsight.reports.document import Document
from steelsight.reports.figures import save_figure
from steelsight.reports.figures.style import svg_wanted
from steelsight.runs.inspection.options import LayerOptions
from steelsight.runs.opening.open import OpenRun, open_run, refuse_multilabel
from steelsight.runs.settings import result_settings
from steelsight.streams import stream
from steelsight.version import __version__

__all__ = ["LayerReport", "inspect_run_layers", "probe_layers", "title_of", "write_layers_page"]

REPORT, NUMBERS = "report.html", "layers.json"


@dataclass(frozen=True)
class LayerReport:
    """Probes and maps of a run's layers that were written to a folder."""

    folder: Path
    found: Separability
    numbers: dict[str, Any]  # of layers.json

    @property
    def page(self) -> Path:
        """The report."""
        return self.folder / REPORT


def inspect_run_layers(
    run: Path,
    data: Path,
    options: LayerOptions,
    *,
    out: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> LayerReport:
    """Probe and map the layers of a run, and write page, numbers and figures.

    out     folder to write; None = RUN/layers-SPLIT
    raises  BadInput for layers, controls, parts or sheets that cannot be used; BadData
    """
    choose_controls(options.controls)  # an unknown control or layer is refused before DATA is read
    _choose_layers(load_checkpoint(run)[0], options)
    folder = out if out is not None else run / f"layers-{options.split}"
    opened = open_run(run, data, options)
    found = probe_layers(opened, options, say=say)
    numbers: dict[str, Any] = {
        "run": str(run),
        "data": opened.data.name,
        "reading": opened.data.reading,
        "fit": options.fit,
        "split": options.split,
        **layers_json(found),
    }
    settings = result_settings(
        "inspect layers", options, cards=[opened.card], data_hash=opened.data.data_hash
    )
    files = (REPORT, "report.json", "figures/layers.png", "figures/tsne.png")
    numbers |= keep_earlier(folder, NUMBERS, settings, files)
    say("drawing")
    page = folder / REPORT
    add_files(numbers, write_layers_page(page, found, opened, fit=options.fit, split=options.split))
    write_json(folder / NUMBERS, numbers)
    return LayerReport(folder, found, numbers)


def _choose_layers(model: SheetClassifier, options: LayerOptions) -> tuple[str, ...]:
    try:
        return choose_layers(model, options.layers)
    except UnknownLayer as error:
        raise UnknownLayer(f"--layers: {error}") from error


def probe_layers(
    run: OpenRun,
    options: LayerOptions,
    *,
    weights: Float[np.ndarray, " j"] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Separability:
    """Probe and map a run's layers.

    weights  one for each sheet of `options.split`, in the order of DATA; None = all alike
    raises   BadInput for a multilabel run, for parts, layers, controls or sheets that cannot be used
    """
    card, seed = run.card, options.seed
    refuse_multilabel(run.folder, card)
    controls = choose_controls(options.controls)
    maps = MapSpec(options.tsne, options.perplexity, seed) if options.tsne else None
    layers = _choose_layers(run.model, options)
    sheets = choose_sheets(
        run.data.images,
        np.asarray(run.data.labelled.labels),
        run.groups,
        card.class_names,
        ProbeParts(run.positions(options.fit), run.positions(options.split), weights),
        limit=options.sheets,
        rng=stream(seed, "probe-sheets"),
    )
    sheets = replace(sheets, clean=card.clean)
    if maps is not None:
        maps.perplexity_for(min(maps.sheets, sheets.judge_labels.size))
    nets, missing = build_controls(card.model, controls, seed=seed)
    return inspect_layers(
        {TRAINED: run.model, **nets},
        sheets,
        layers,
        ProbeOptions(SHUFFLED in controls, maps, seed, options.resamples, torch.get_num_threads()),
        missing=missing,
        say=say,
    )


def write_layers_page(path: Path, found: Separability, run: OpenRun, *, fit: str, split: str) -> list[str]:
    """Write the report as `path` (HTML, JSON beside it) and its figures as figures/*.png.

    returns  names of SVG files, where they are written
    """
    document = Document(
        "What each layer separates",
        subtitle=f"{run.card.model.name} on {run.data.name}, fitted on {fit}, evaluated on {split} sheets",
    )
    title = title_of(run)
    document.chapter("Linear probes", id="probes")
    write_probes(document, found, title=title)
    save_figure(probes_figure(found, title), path.parent / "figures" / "layers.png")
    if found.maps:
        document.chapter("t-SNE", id="maps")
        write_maps(document, found)
        save_figure(maps_figure(found), path.parent / "figures" / "tsne.png")
    document.footer(
        {
            "Steelsight": __version__,
            "PyTorch": str(torch.__version__),
            "Machine": f"{platform.system()} {platform.machine()}",
            "Threads": torch.get_num_threads(),
            "Seed": found.seed,
            "Data": run.data.name,
            "Data hash": run.data.data_hash,
            "Groups": run.data.grouping,
            "Read as": run.data.reading,
        }
    )
    document.save(path)
    saved = ["layers", "tsne"] if found.maps else ["layers"]
    return [*document.figure_files(), *(f"figures/{name}.svg" for name in saved if svg_wanted())]


def title_of(run: OpenRun) -> str:
    """The name of a run's network, as reports print it."""
    return find_model(run.card.model.name).title
