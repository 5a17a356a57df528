"""Chapters on the neurons of both models: images that drive them."""

from __future__ import annotations

from steelsight.inspection.neurons.atlas import Atlas
from steelsight.inspection.neurons.page import (
    atlas_figure,
    describe_ascent,
    forms_figure,
    growth_figure,
    how_to_read,
    layer_table,
    write_neuron_pairs,
)
from steelsight.inspection.neurons.pairs import compare_neurons
from steelsight.reports.document import Document
from steelsight.streams import stream
from steelsight.study.measures.neurons import plain_ascent
from steelsight.study.results import NO_MODEL, StudyResults

__all__ = ["write_multiclass_neurons", "write_neurons"]

Omitted = dict[str, str]


def write_neurons(document: Document, study: StudyResults) -> Omitted:
    """Images that drive single filters of the binary model."""
    document.chapter("Neurons", id="neurons", status="done")
    atlas = study.neurons
    if atlas is None:
        document.text(f"{NO_MODEL.capitalize()}.")
        return {"binary-neurons": NO_MODEL}
    document.text(f"{_name(study)}. {how_to_read(atlas)} Neurons were drawn at random.")
    document.figure(
        atlas_figure(atlas),
        id="binary-neurons",
        alt=f"Images that drive single neurons of {len(atlas.layers)} layers of the binary model.",
        caption="From the first layer to the logits: the centre of each image, enlarged where the "
        "receptive field is small.",
    )
    layer_table(document, atlas, id="binary-neurons-table")
    return {}


def write_multiclass_neurons(document: Document, study: StudyResults, binary: StudyResults) -> Omitted:
    """Images enlarged and blurred during optimisation, and the neurons of both models compared."""
    document.chapter("Neurons of the multi-class model", id="multiclass-neurons", status="done")
    atlas = study.neurons
    if atlas is None or atlas.plan.grown is None:
        document.text(f"{NO_MODEL.capitalize()}.")
        return dict.fromkeys(("neuron-resizing", "neuron-blurring"), NO_MODEL)
    omitted: Omitted = {}
    document.text(f"{_name(study)}. {how_to_read(atlas)} Neurons were drawn at random.")
    grown = [
        p for page in atlas.layers if page.receptive_field is not None for p in page.profiles if p.stages
    ]
    pairs = forms_figure(atlas.layers, each=2)
    if not grown or pairs is None:
        reason = "no layer of this model takes images of another size"
        return dict.fromkeys(("neuron-resizing", "neuron-blurring"), reason)
    last = grown[-1]
    document.figure(
        growth_figure(last),
        id="neuron-resizing",
        alt=f"The image of neuron {last.neuron.name} at each size.",
        caption=f"Neuron {last.neuron.name}, before each enlargement and at the end: "
        f"{describe_ascent(atlas.plan.grown)}; here {last.kernel}.",
    )
    document.figure(
        pairs,
        id="neuron-blurring",
        alt="Images of the same neurons, optimised plainly at the left, resized and blurred at the right.",
        caption="The same neurons: plain at the left, resized and blurred at the right.",
    )
    layer_table(document, atlas, id="multiclass-neurons-table")
    return omitted | _write_neuron_pairs(document, study, binary, atlas)


def _write_neuron_pairs(
    document: Document, study: StudyResults, binary: StudyResults, atlas: Atlas
) -> Omitted:
    first, second = binary.shown, study.shown
    if first is None or second is None or first.card.model.name != second.card.model.name:
        document.text("The two models shown are of different networks, so their neurons cannot be paired.")
        return {}
    neurons = [p.neuron for page in atlas.layers if page.layer != "head" for p in page.profiles]
    pairs = compare_neurons(
        first.model,
        second.model,
        neurons,
        plain_ascent(study.options),
        seed=study.options.seed,
        rng=stream(study.options.seed, "neuron-pairs"),
    )
    write_neuron_pairs(document, pairs, names=("binary model", "multi-class model"))
    document.text(
        "Both models started from the same weights, so similar neurons may be unchanged by training rather "
        "than learnt twice; the controls of the transplant distinguish the two."
    )
    return {}


def _name(study: StudyResults) -> str:
    return study.chosen.title if study.chosen is not None else ""
