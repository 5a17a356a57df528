"""The ceiling of perfect maps, on masks with a known ceiling."""

import numpy as np
import pytest
import torch
from torch import nn

from steelsight.errors import BadInput, UnknownLayer
from steelsight.explanations.benchmark.ceiling import find_grid, oracle_ceiling, oracle_maps
from steelsight.explanations.masks import MaskRule
from steelsight.models.catalog import ModelSpec, build_model


def test_the_grid_of_the_study_is_3x24() -> None:
    model = build_model(ModelSpec(name="squeezenet_reduced", outputs=2))
    assert find_grid(model, (64, 400)) == (3, 24)
    assert find_grid(model, (192, 192)) == (11, 11)


def test_layers_without_a_grid_are_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LazyLinear(2))
    model(torch.zeros(1, 3, 8, 8))
    assert find_grid(model, (8, 8), layer="0") == (6, 6)
    with pytest.raises(BadInput, match="whose grid can be read"):
        find_grid(model, (8, 8), layer="2")
    with pytest.raises(UnknownLayer, match="it has 0, 1, 2"):
        find_grid(model, (8, 8), layer="features")


def test_a_grid_as_fine_as_the_image_loses_nothing() -> None:
    truths = np.zeros((2, 16, 24), dtype=bool)
    truths[0, 3:9, 4:10] = truths[1, 10:14, 2:20] = True
    assert np.array_equal(oracle_maps(truths, (16, 24)), truths.astype(np.float32))
    ceiling = oracle_ceiling(truths, (16, 24), MaskRule(amount=1.0, sigma=0.0))
    assert ceiling.by_rule.tolist() == ceiling.by_best.tolist() == [1, 1]


def test_a_coarser_grid_has_a_lower_ceiling(rng: np.random.Generator) -> None:
    truths = np.zeros((6, 48, 48), dtype=bool)
    for row, (top, left) in enumerate(rng.integers(0, 36, (6, 2)).tolist()):
        truths[row, top : top + 10, left : left + 3] = True
    found = [oracle_ceiling(truths, (cells, cells), MaskRule()).by_best.mean() for cells in (4, 12, 24)]
    assert found[0] < found[1] < found[2]
    ceiling = oracle_ceiling(truths, (12, 12), MaskRule())
    assert (ceiling.by_best >= ceiling.by_rule - 0.05).all()  # the best threshold looks at the map unblurred


def test_planted_classes_are_separated() -> None:
    truths = np.zeros((3, 16, 16), dtype=bool)
    truths[:2, 4:12, 4:12] = truths[2, 0, 0] = True
    numbers = oracle_ceiling(truths, (4, 4), MaskRule()).as_dict(["patch", "patch", "chip"])
    dice = numbers["dice"]
    assert dice["patch"]["images"] == 2
    assert dice["patch"]["by_best_threshold"] > dice["chip"]["by_best_threshold"]
    assert numbers["grid"] == [4, 4]
