"""What drives single neurons, in both halves: atlas, second form, the two models' neurons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from steelsight.evaluation.bootstrap import bootstrap
from steelsight.inspection.neurons_atlas import Atlas, AtlasPlan, Shown, make_atlas
from steelsight.inspection.neurons_nature import fine_share, rank_correlation
from steelsight.inspection.neurons_page import (
    atlas_figure,
    growth_figure,
    how_to_read,
    layer_table,
    pairs_figure,
    tell_ascent,
    write_twins,
)
from steelsight.inspection.neurons_settings import GROWN, PLAIN, Ascent
from steelsight.inspection.neurons_survey import speaking_layers
from steelsight.inspection.neurons_twins import compare_neurons
from steelsight.reports.document import Document
from steelsight.study.arenas import Judged
from steelsight.study.findings import Findings
from steelsight.study.options import StudyOptions
from steelsight.study.verdict import Verdict, decide
from steelsight.types import Interval

__all__ = [
    "hierarchy",
    "look_at_neurons",
    "no_insight",
    "show_sheets",
    "write_multiclass_neurons",
    "write_neurons",
]

Omitted = dict[str, str]

SHEETS = 500  # shown, at most
KERNELS = (3, 10)  # the study's smallest and largest
NO_MODEL = "no model was trained"


def show_sheets(run: Judged, part: str, *, limit: int, rng: np.random.Generator) -> Shown:
    """The sheets of one part of a run, at most `limit`, drawn at random."""
    rows = run.positions(part)
    if rows.size > limit:
        rows = np.sort(rng.permutation(rows)[:limit])
    groups = [run.groups[i] for i in rows.tolist()]
    labels = np.asarray(run.data.keys if run.card.task != "multilabel" else _first_types(run))[rows]
    names = run.card.class_names if run.card.task != "multilabel" else run.type_names
    return Shown(
        np.array(run.data.images[rows]),
        labels.astype(np.int64),
        tuple(names),
        tuple(run.data.ids[i] for i in rows.tolist()),
        groups if any(groups) else None,
    )


def look_at_neurons(run: Judged, options: StudyOptions, *, second: bool) -> Atlas:
    """The atlas of one half; the multi-class half has the second form too, as in the study."""
    shown = show_sheets(run, "test", limit=SHEETS, rng=np.random.default_rng([options.seed, 20]))
    every = max(1, options.neuron_steps * GROWN.every // PLAIN.steps)
    plan = AtlasPlan(
        count=options.neurons,
        choose="drawn",
        plain=_plain(options),
        grown=replace(GROWN, steps=5 * every, every=every, kernels=KERNELS, clip=True) if second else None,
        resamples=min(options.resamples, 400),
    )
    return make_atlas(
        run.model,
        shown,
        speaking_layers(run.model),
        plan,
        rng=np.random.default_rng([options.seed, 21]),
        seed=options.seed,
    )


def write_neurons(document: Document, found: Findings) -> Omitted:
    """Images that drive single filters of the binary model."""
    document.chapter("Neurons", id="neurons", status="done")
    atlas = found.neurons
    if atlas is None:
        document.text(f"{NO_MODEL.capitalize()}.")
        return {"binary-neurons": NO_MODEL}
    document.text(f"{_name(found)}. {how_to_read(atlas)} Neurons were drawn at random.")
    document.figure(
        atlas_figure(atlas),
        id="binary-neurons",
        alt=f"Images that drive single neurons of {len(atlas.layers)} layers of the binary model.",
        caption="From the first layer to the logits: the middle of each image, enlarged where neurons see "
        "little.",
    )
    layer_table(document, atlas, id="binary-neurons-table")
    return {}


def write_multiclass_neurons(document: Document, found: Findings, binary: Findings) -> Omitted:
    """The second form on the multi-class model, and its neurons beside the binary model's."""
    document.chapter("Neurons of the multi-class model", id="multiclass-neurons", status="done")
    atlas = found.neurons
    if atlas is None or atlas.plan.grown is None:
        document.text(f"{NO_MODEL.capitalize()}.")
        return dict.fromkeys(("neuron-resizing", "neuron-blurring"), NO_MODEL)
    omitted: Omitted = {}
    document.text(f"{_name(found)}. {how_to_read(atlas)} Neurons were drawn at random.")
    grown = [p for page in atlas.layers if page.reach is not None for p in page.portraits if p.stages]
    pairs = pairs_figure(atlas.layers, each=2)
    if not grown or pairs is None:
        reason = "no layer of this model takes images of another size"
        return dict.fromkeys(("neuron-resizing", "neuron-blurring"), reason)
    last = grown[-1]
    document.figure(
        growth_figure(last),
        id="neuron-resizing",
        alt=f"The image of neuron {last.neuron.name} at each size it had.",
        caption=f"Neuron {last.neuron.name}, before each enlargement and at the end: "
        f"{tell_ascent(atlas.plan.grown)}; here {last.kernel}.",
    )
    document.figure(
        pairs,
        id="neuron-blurring",
        alt="Images of the same neurons by the plain form at the left, resized and blurred at the right.",
        caption="The same neurons: plain at the left, resized and blurred at the right.",
    )
    layer_table(document, atlas, id="multiclass-neurons-table")
    return omitted | _write_twins(document, found, binary, atlas)


def hierarchy(found: Findings) -> Verdict:
    """First layers detect simple features, last layers complex ones."""
    atlas = found.neurons
    if atlas is None:
        return Verdict("undecided here", f"{NO_MODEL.capitalize()}.")
    depth = np.array([float(i) for i, page in enumerate(atlas.layers) for _ in page.agreements])
    alike = np.array([value for page in atlas.layers for value in page.agreements])
    known = np.isfinite(alike)
    depth, alike = depth[known], alike[known]
    if np.unique(depth).size < 2:
        return Verdict("undecided here", "Fewer than two layers have neurons that answer to two sheets.")
    trend = bootstrap(
        lambda rows: rank_correlation(depth[rows], alike[rows]),
        depth.size,
        rng=np.random.default_rng([found.options.seed, 23]),
        resamples=found.options.resamples,
    )
    ends = [float(np.median(alike[depth == layer])) for layer in (depth.min(), depth.max())]
    because = (
        "Rank correlation of depth with how far a neuron is one linear filter, by the cosine of the filters "
        f"it applies to different sheets: {ends[0]:.2f} in the first layer, where it is 1 by construction, "
        f"{ends[1]:.2f} in the last. That measures simplicity, not what a person would call the feature."
    )
    return Verdict(decide(trend.high < 0, trend.low > 0), because, trend)


def no_insight(found: Findings) -> Verdict:
    """Resizing and blurring show no more than a growing complexity."""
    atlas = found.neurons
    pairs = [
        (p.plain, p.grown)
        for page in ([] if atlas is None else atlas.layers)
        for p in page.portraits
        if p.plain is not None and p.grown is not None
    ]
    if not pairs:
        return Verdict("undecided here", "No images of both forms were made.")
    change = np.array([fine_share(b[None])[0] - fine_share(a[None])[0] for a, b in pairs])
    change = change[np.isfinite(change)]
    fewer: Interval = bootstrap(
        lambda rows: float(change[rows].mean()),
        change.size,
        rng=np.random.default_rng([found.options.seed, 24]),
        resamples=found.options.resamples,
    )
    return Verdict(
        "undecided here",
        "Insight is for a person to find or miss: the pictures are in the chapter. What can be measured is "
        "what the second form removes: by so much it changes the share of waves shorter than 8 pixels.",
        fewer,
    )


def _write_twins(document: Document, found: Findings, binary: Findings, atlas: Atlas) -> Omitted:
    first, second = binary.shown, found.shown
    if first is None or second is None or first.card.model.name != second.card.model.name:
        document.text("The two models shown are of different networks, so their neurons cannot be paired.")
        return {}
    neurons = [p.neuron for page in atlas.layers if page.layer != "head" for p in page.portraits]
    twins = compare_neurons(
        first.model,
        second.model,
        neurons,
        _plain(found.options),
        seed=found.options.seed,
        rng=np.random.default_rng([found.options.seed, 22]),
    )
    write_twins(document, twins, names=("binary model", "multi-class model"))
    document.text(
        "Both models started from the same weights, so alike neurons may be what training left unchanged "
        "rather than what it found; the transplant's controls tell the two apart."
    )
    return {}


def _plain(options: StudyOptions) -> Ascent:
    return replace(PLAIN, steps=options.neuron_steps, clip=True)


def _name(found: Findings) -> str:
    return found.chosen.title if found.chosen is not None else ""


def _first_types(run: Judged) -> list[int]:
    """One type a sheet for tables by class; sheets of several types count in none."""
    return [-1 if len(item.types) > 1 else item.types[0] if item.types else 0 for item in run.data.items]
