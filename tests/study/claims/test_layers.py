"""Claims about layers: conditions under which they hold, fail or stay undecided."""

from dataclasses import replace

import numpy as np
import pytest

from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.inspection.probes.embedding import LayerMap
from steelsight.inspection.probes.outputs import KINDS
from steelsight.inspection.probes.selection import ProbeSheets
from steelsight.inspection.probes.separability import ProbeCurve, ProbedLayer, Separability
from steelsight.study.claims.layers import layers_separate, multiclass_layers_separate
from steelsight.types import Interval

NAMES = ("input", "features.0", "features.1", "features.2", "head.linear")
RISING, FALLING, FLAT = (0.5, 0.5, 0.6, 0.8, 0.9), (0.5, 0.9, 0.8, 0.6, 0.5), (0.5, 0.7, 0.7, 0.7, 0.7)
COUNT = 200


def _curve(kind, levels):
    right = np.array([(np.arange(COUNT) < level * COUNT).astype(float) for level in levels])
    points = tuple(wilson(level * COUNT, COUNT) for level in levels)
    return ProbeCurve("trained", kind, right, points, points, levels, (1e-3,) * len(levels), 0)


def _separability(pooled, projected, agreement=0.4):
    labels = np.arange(2 * COUNT) % 5
    images = np.zeros((2 * COUNT, 2, 2), dtype=np.uint8)
    sheets = ProbeSheets(images, labels, ("",) * (2 * COUNT), COUNT, ("none", "1", "2", "3", "4"))
    level = Interval(agreement, agreement - 0.05, agreement + 0.05)
    place = LayerMap("features.2", np.zeros((10, 2), np.float32), np.arange(10), level, 1.0)
    curves = {
        ("trained", kind): _curve(kind, levels)
        for kind, levels in zip(KINDS, (pooled, projected), strict=True)
    }
    rows = tuple(ProbedLayer(name, "conv", (4,), 4, 4) for name in NAMES)
    return Separability(rows, curves, sheets, 0.2, (place,), None, resamples=200)


@pytest.mark.parametrize(
    ("pooled", "projected", "answer"),
    [
        (RISING, RISING, "holds"),
        (FALLING, RISING, "does not hold"),
        (RISING, FALLING, "does not hold"),
        (FLAT, RISING, "undecided here"),
    ],
)
def test_separability_must_grow_for_both_descriptions(pooled, projected, answer):
    verdict = layers_separate(_separability(pooled, projected))
    assert verdict.answer == answer
    assert "Rank correlations with depth" in verdict.reason


@pytest.mark.parametrize(
    ("levels", "agreement", "answer"),
    [
        (RISING, 0.4, "holds"),
        (RISING, 0.8, "does not hold"),
        (RISING, 0.6, "undecided here"),
        (FALLING, 0.4, "does not hold"),
        (FLAT, 0.4, "undecided here"),
    ],
)
def test_maps_show_little_below_halfway_from_chance_to_one(levels, agreement, answer):
    verdict = multiclass_layers_separate(_separability(levels, levels, agreement))
    assert verdict.answer == answer
    assert "below 0.56, halfway from chance to 1" in verdict.reason


def test_claims_without_probes_or_maps_are_undecided():
    for claim in (layers_separate, multiclass_layers_separate):
        verdict = claim("no model was trained")
        assert (verdict.answer, verdict.reason) == ("undecided here", "No model was trained.")
    without = replace(_separability(RISING, RISING), maps=())
    assert multiclass_layers_separate(without).answer == "undecided here"
