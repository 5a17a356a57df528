"""Claims about neurons on planted figures, and the chapters' blocks."""

from dataclasses import replace

import numpy as np
import pytest

from steelsight.reports.document import Document
from steelsight.runs.inspection.neurons import show_sheets
from steelsight.study.chapters.neurons import write_multiclass_neurons, write_neurons
from steelsight.study.claims.neurons import hierarchy, no_insight


def planted(atlas, agreements):
    pages = [replace(page, agreements=tuple(agreements(depth))) for depth, page in enumerate(atlas.layers)]
    return replace(atlas, layers=tuple(pages))


@pytest.mark.parametrize(
    ("slope", "answer"), [(-0.04, "holds"), (0.04, "does not hold"), (0.0, "undecided here")]
)
def test_the_trend_of_simplicity_with_depth_decides_the_hierarchy(slope, answer, tiny_report):
    study = tiny_report.binary
    noise = np.random.default_rng(0)

    def agreements(depth):
        return 0.5 + slope * depth + noise.normal(0, 0.1, 8)

    verdict = hierarchy(replace(study, neurons=planted(study.neurons, agreements)))
    assert verdict.answer == answer
    assert -1 <= verdict.interval.low < verdict.interval.high <= 1


def test_the_hierarchy_is_undecided_for_one_layer_or_no_model(tiny_report):
    study = tiny_report.binary
    one = replace(study.neurons, layers=study.neurons.layers[:1])
    assert hierarchy(replace(study, neurons=one)).answer == "undecided here"
    without = replace(study, neurons=None)
    assert hierarchy(without).reason == "No model was trained."
    assert no_insight(without).reason == "No images of both forms were made."
    document = Document("none")
    assert write_neurons(document, without) == {"binary-neurons": "no model was trained"}
    omitted = write_multiclass_neurons(document, without, without)
    assert set(omitted) == {"neuron-resizing", "neuron-blurring"}


def test_insight_is_undecided_with_the_measured_change(tiny_report):
    verdict = no_insight(tiny_report.multiclass.study)
    assert verdict.answer == "undecided here"
    assert -1 <= verdict.interval.low <= verdict.interval.high <= 1


def test_the_multiclass_atlas_has_grown_images_and_the_binary_one_has_not(tiny_report):
    binary, multiclass = tiny_report.binary.neurons, tiny_report.multiclass.study.neurons
    assert binary.plan.grown is None
    assert multiclass.plan.grown.kernels == (3, 10)
    assert set(binary.shown.class_names) == {"free", "defect"}
    assert len(multiclass.shown.class_names) == 3
    ids = {
        block.id
        for chapter in tiny_report.document.chapters
        for block in chapter.blocks
        if hasattr(block, "id")
    }
    assert {"neuron-twins", "neuron-twins-table", "binary-neurons-table"} <= ids


def test_a_limit_draws_that_many_sheets_of_the_part(tiny_report):
    run = tiny_report.binary.shown
    shown = show_sheets(run, "test", limit=5, rng=np.random.default_rng(0))
    assert len(shown.ids) == len(shown.images) == 5
    test = {run.data.ids[i] for i in run.positions("test").tolist()}
    assert set(shown.ids) <= test
