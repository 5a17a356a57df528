"""Weight changes of parts against NumPy on plain arrays."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from steelsight.inspection.transplant.weight_change import compare_weights
from steelsight.models.classifier import SheetClassifier
from steelsight.models.heads import DirectHead, Pooling


def _flat(model, keys) -> np.ndarray:
    return np.concatenate([model.state_dict()[key].double().numpy().ravel() for key in keys])


def _moved(start, seed: int):
    model = copy.deepcopy(start)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.01 * torch.randn(parameter.shape, generator=generator)
    return model


def _with_norm() -> SheetClassifier:
    features = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3))
    head = DirectHead(32, 30, 0.0, Pooling("average"))
    return SheetClassifier(features, head, name="mine", size=(48, 64), smallest=5)


def test_every_figure_equals_numpys() -> None:
    start = _with_norm()
    first, second = _moved(start, 1), _moved(start, 2)
    first.features[1].running_mean += 100  # no weight: it must not count
    found = compare_weights(first, second, start, start)
    keys = ["features.0.weight", "features.0.bias", "features.1.weight", "features.1.bias"]
    a, b, origin = (_flat(model, keys) for model in (first, second, start))
    norm = np.linalg.norm
    assert found[0].apart == pytest.approx(norm(a - b) / norm(b))
    assert found[0].receiver_moved == pytest.approx(norm(a - origin) / norm(origin))
    assert found[0].donor_moved == pytest.approx(norm(b - origin) / norm(origin))
    assert found[0].cosine == pytest.approx(
        (a - origin) @ (b - origin) / (norm(a - origin) * norm(b - origin))
    )
    assert all(abs(change.cosine) < 0.2 for change in found), "drawn apart, they have nothing in common"
    assert all(change.one_start for change in found)


def test_updates_in_one_direction_have_cosine_one(build) -> None:
    start = build()
    first = _moved(start, 1)
    found = compare_weights(first, first, start, start)
    assert [change.apart for change in found] == [0] * 7
    assert [change.cosine for change in found] == pytest.approx([1] * 7)


def test_other_starts_and_other_shapes_have_no_cosine(build) -> None:
    start, other = build(), build(outputs=2, seed=1)
    found = compare_weights(_moved(start, 1), _moved(other, 1), start, other)
    assert [change.cosine for change in found] == [None] * 7
    assert not any(change.one_start for change in found)
    assert found[-1].apart is None
    assert found[-1].donor_moved > 0
    unknown = compare_weights(start, other, None, None)
    assert unknown[0].receiver_moved is None
    assert unknown[0].apart > 0


def test_an_unchanged_part_has_no_direction(build) -> None:
    start = build()
    assert compare_weights(start, _moved(start, 1), start, start)[0].cosine is None
