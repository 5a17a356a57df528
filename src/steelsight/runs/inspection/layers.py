"""What the layers of a run separate: linear probes and t-SNE maps, beside control networks."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from steelsight.errors import BadInput, UnknownLayer
from steelsight.files import write_json
from steelsight.inspection.probes.controls import (
    CONTROLS,
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
from steelsight.models.catalog import MODELS
from steelsight.reports.document import Document
from steelsight.reports.figures import save_figure
from steelsight.runs.inspection.options import LayerOptions
from steelsight.runs.open import OpenRun, open_run
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
    controls = choose_controls(options.controls)
    folder = out if out is not None else run / f"layers-{options.split}"
    opened = open_run(run, data, allow_bad=options.allow_bad)
    try:
        layers = choose_layers(opened.model, options.layers)
    except UnknownLayer as error:  # here it is an option that names none
        raise BadInput(f"--layers: {error}") from error
    found = probe_layers(
        opened,
        layers=layers,
        fit=options.fit,
        split=options.split,
        limit=options.sheets,
        controls=controls,
        maps=MapSpec(options.tsne, options.perplexity, options.seed) if options.tsne else None,
        seed=options.seed,
        say=say,
    )
    numbers: dict[str, Any] = {
        "run": str(run),
        "data": opened.data.name,
        "fit": options.fit,
        "split": options.split,
        **layers_json(found),
    }
    say("drawing")
    write_layers_page(folder / REPORT, found, opened, fit=options.fit, split=options.split)
    write_json(folder / NUMBERS, numbers)
    return LayerReport(folder, found, numbers)


def probe_layers(
    judged: OpenRun,
    *,
    layers: Sequence[str] | None = None,
    fit: str = "train",
    split: str = "test",
    limit: int = 2000,
    controls: tuple[str, ...] = CONTROLS,
    maps: MapSpec | None = None,
    weights: Float[np.ndarray, " j"] | None = None,
    seed: int = 0,
    resamples: int = 1000,
    say: Callable[[str], None] = lambda _: None,
) -> Separability:
    """Probe and map a run's layers.

    fit, split  parts of the run: probes are fitted on one and judged on the other
    weights     one a sheet of `split`, in the order of DATA
    raises      BadInput for a multilabel run, for parts, layers or sheets that cannot be used; UnknownLayer
    """
    card = judged.card
    if card.task == "multilabel":
        raise BadInput(f"{judged.folder}: expected a binary or multiclass run, got multilabel")
    chosen = choose_layers(judged.model, layers)
    sheets = choose_sheets(
        judged.data.images,
        np.asarray(judged.data.labelled.labels),
        judged.groups,
        card.class_names,
        ProbeParts(judged.positions(fit), judged.positions(split), weights),
        limit=limit,
        rng=stream(seed, "probe-sheets"),
    )
    if maps is not None:
        maps.perplexity_for(min(maps.sheets, sheets.judge_labels.size))
    nets, missing = build_controls(card.model, controls, seed=seed)
    return inspect_layers(
        {TRAINED: judged.model, **nets},
        sheets,
        chosen,
        ProbeOptions(SHUFFLED in controls, maps, seed, resamples, torch.get_num_threads()),
        missing=missing,
        say=say,
    )


def write_layers_page(path: Path, found: Separability, judged: OpenRun, *, fit: str, split: str) -> Path:
    """Write the report as `path` (HTML, JSON beside it) and its figures as figures/*.png."""
    document = Document(
        "What each layer separates",
        subtitle=f"{judged.card.model.name} on {judged.data.name}, fitted on {fit}, judged on {split} sheets",
    )
    title = title_of(judged)
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
            "Data": judged.data.name,
            "Data hash": judged.data.data_hash,
        }
    )
    return document.save(path)


def title_of(judged: OpenRun) -> str:
    """The name of a run's network, as reports print it."""
    return MODELS[judged.card.model.name].title
