"""Pasted defects: where they land, what they carry, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from steelsight.errors import BadRecipe
from steelsight.training.dataset import Masks, TrainingData
from steelsight.training.imbalance.copies import class_counts
from steelsight.training.imbalance.paste import lay, paste_defects


def _data(rng: np.random.Generator) -> TrainingData:
    """Twenty clean sheets at gray 100, one sheet of each of two types at gray 160 with a dark block."""
    images = np.clip(rng.normal(100, 3, (24, 32, 48)), 0, 255).astype(np.uint8)
    targets = np.array([0] * 20 + [1, 2, 0, 1])
    shares = np.zeros_like(images)
    for row in (20, 21, 23):
        images[row] += 60
        shares[row, 10:18, 20:30] = 255
        images[row, 10:18, 20:30] = 20
    return TrainingData(images, targets, np.arange(22), np.array([22, 23]), Masks(shares, np.ones(24, bool)))


def test_every_type_reaches_its_share(rng: np.random.Generator) -> None:
    data = _data(rng)
    pasted = paste_defects(data, 0.2, rng)
    assert pasted.added.tolist() == [0, 3, 3]
    assert class_counts(pasted.data).tolist() == [20, 4, 4]
    assert pasted.data.validation.tolist() == [22, 23]
    assert pasted.data.masks is not None
    for row in pasted.data.train[22:].tolist():
        mask = pasted.data.masks.shares[row] > 0
        image = pasted.data.images[row].astype(float)
        assert mask.sum() == 80
        assert image[mask].mean() < 40 - 20  # as dark below its surface as it was on its own sheet
        assert abs(image[~mask].mean() - 100) < 4


def test_far_from_the_defect_the_sheet_is_untouched(rng: np.random.Generator) -> None:
    data = _data(rng)
    assert data.masks is not None
    laid = lay(data.images[0], data.images[20], data.masks.shares[20])
    assert (laid[:, :8] == data.images[0][:, :8]).all()
    assert (laid[:2] == data.images[0][:2]).all()


def test_a_mask_over_the_whole_sheet_is_the_other_sheet(rng: np.random.Generator) -> None:
    one, other = rng.integers(0, 256, (2, 8, 8), dtype=np.uint8)
    assert (lay(one, other, np.full((8, 8), 255, np.uint8)) == other).all()


def test_refusals(rng: np.random.Generator) -> None:
    data = _data(rng)
    bare = TrainingData(data.images, data.targets, data.train, data.validation)
    with pytest.raises(BadRecipe, match=r"paste\.to_share: expected masks and defect-free.*got no masks"):
        paste_defects(bare, 0.2, rng)
    flags = np.zeros((24, 2), np.float32)
    several = TrainingData(data.images, flags, data.train, data.validation, data.masks)
    with pytest.raises(BadRecipe, match="expected one class a sheet"):
        paste_defects(several, 0.2, rng)
    dirty = TrainingData(
        data.images,
        data.targets,
        np.array([20, 21]),
        data.validation,
        data.masks,
    )
    with pytest.raises(BadRecipe, match="got no defect-free sheet"):
        paste_defects(dirty, 0.2, rng)
