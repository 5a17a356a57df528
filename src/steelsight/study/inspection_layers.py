"""What layers separate: from a run to probes and maps, and the study's chapters of them."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from steelsight.errors import BadInput
from steelsight.inspection.controls import CONTROLS, IMAGENET, SHUFFLED, TRAINED, build_controls
from steelsight.inspection.layers import choose_layers
from steelsight.inspection.layers_report import (
    maps_figure,
    probes_figure,
    write_maps,
    write_probes,
)
from steelsight.inspection.maps import MapSpec
from steelsight.inspection.selection import choose_sheets
from steelsight.inspection.separability import Separability, inspect_layers
from steelsight.models.catalog import MODELS
from steelsight.reports.document import Document
from steelsight.reports.figures import save_figure
from steelsight.study.arenas import Judged
from steelsight.study.findings import Findings
from steelsight.version import __version__

__all__ = ["look_at_layers", "look_into", "write_layers", "write_layers_page", "write_multiclass_layers"]

STUDY_MAPPED = 300  # sheets on the study's maps, at most

Omitted = dict[str, str]


def look_at_layers(
    judged: Judged,
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
        fit=judged.positions(fit),
        judge=judged.positions(split),
        limit=limit,
        rng=np.random.default_rng([seed, 35]),
        weights=weights,
    )
    if maps is not None:
        maps.perplexity_for(min(maps.sheets, sheets.judge_labels.size))
    nets, missing = build_controls(card.model, controls, seed=seed)
    return inspect_layers(
        {TRAINED: judged.model, **nets},
        sheets,
        chosen,
        shuffled=SHUFFLED in controls,
        maps=maps,
        missing=missing,
        seed=seed,
        resamples=resamples,
        workers=torch.get_num_threads(),
        say=say,
    )


def write_layers_page(path: Path, found: Separability, judged: Judged, *, fit: str, split: str) -> Path:
    """Write the report as `path` (HTML, JSON beside it) and its figures as figures/*.png."""
    document = Document(
        "What each layer separates",
        subtitle=f"{judged.card.model.name} on {judged.data.name}, fitted on {fit}, judged on {split} sheets",
    )
    title = _title(judged)
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


def look_into(found: Findings) -> Separability | str:
    """The layers of the model shown in detail, in the study's size; or why these data do not give them."""
    shown, options = found.shown, found.options
    if shown is None:
        return "no model was trained"
    weights = None
    if found.weights is not None:
        by_position = dict(zip(found.split.test.tolist(), found.weights.tolist(), strict=True))
        weights = np.array([by_position[position] for position in shown.positions("test").tolist()])
    no_imagenet = options.pretrained == "none"
    try:
        return look_at_layers(
            shown,
            limit=options.probed,
            controls=tuple(name for name in CONTROLS if not (no_imagenet and name == IMAGENET)),
            maps=MapSpec(STUDY_MAPPED, seed=options.seed),
            weights=weights,
            seed=options.seed,
            resamples=options.resamples,
        )
    except BadInput as error:  # too few sheets or groups; the rest of the study goes on
        return str(error)


def write_layers(document: Document, found: Findings) -> Omitted:
    """The binary model's layers: t-SNE and probes."""
    document.chapter("Layers", id="layers", status="done")
    return _write(document, found, "binary")


def write_multiclass_layers(document: Document, found: Findings) -> Omitted:
    """The same of the multi-class model."""
    document.chapter("Layers of the multi-class model", id="multiclass-layers", status="done")
    return _write(document, found, "multiclass")


def _write(document: Document, found: Findings, half: str) -> Omitted:
    looked = found.layers
    if isinstance(looked, str) or found.shown is None:
        reason = looked if isinstance(looked, str) else "no model was trained"
        document.text(f"Layers were not looked at: {reason}.")
        return {f"{half}-tsne": reason, f"{half}-probes": reason}
    write_maps(document, looked, id=f"{half}-tsne")
    write_probes(document, looked, title=_title(found.shown), id=f"{half}-probes")
    return {}


def _title(judged: Judged) -> str:
    return MODELS[judged.card.model.name].title
