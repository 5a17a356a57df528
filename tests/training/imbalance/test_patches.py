"""Patches: where sheets are cut, what a patch is called, what is left out, and the sheet's verdict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from steelsight.errors import BadInput, BadRecipe
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.models.checkpoint import load_checkpoint
from steelsight.models.patches import cut_patches, join_patches, patch_starts
from steelsight.runs.opening.open import open_run
from steelsight.training.dataset import Masks, TrainingData
from steelsight.training.imbalance.patches import cut_training_patches
from steelsight.training.recipe import Recipe
from steelsight.training.run import train_run

Small = Callable[..., Recipe]


@given(st.integers(1, 300), st.integers(1, 300))
def test_patches_span_the_sheet(width: int, count: int) -> None:
    if count > width:
        with pytest.raises(BadRecipe, match=r"patches\.count: expected 1 to"):
            patch_starts(width, count)
        return
    starts, size = patch_starts(width, count)
    assert starts[0] == 0
    assert starts[-1] + size == width or count == 1
    assert (np.diff(starts) <= size).all()  # no column is left out
    assert size * count < width + count


def _training_data(*, known: bool = True) -> TrainingData:
    """Two training sheets 12 wide: metal but for the last third; type 2 in the first third."""
    images = np.full((3, 4, 12), 100, dtype=np.uint8)
    images[:, :, 8:] = 0
    shares = np.zeros_like(images)
    shares[0, :2, :2] = 255
    shares[2, :, 6:] = 255
    masks = Masks(shares, np.array([known, True, True]))
    return TrainingData(images, np.array([2, 0, 1]), np.array([0, 1]), np.array([2]), masks)


def test_patches_are_labelled_by_masks_and_black_ones_dropped(small: Small) -> None:
    found = cut_training_patches(_training_data(), small("patches.count=3", "width=200").patches, classes=3)
    assert found.data.images.shape == (6, 4, 4)
    assert found.data.targets.tolist() == [2, 0, 0, 0, 0, 1]
    assert found.data.train.tolist() == [0, 1, 2, 3]
    assert found.data.validation.tolist() == [4, 5]
    assert (found.black, found.unknown) == (3, 0)
    assert found.counts.tolist() == [3, 0, 1]


def test_patches_of_defective_sheets_without_mask_are_dropped(small: Small) -> None:
    found = cut_training_patches(
        _training_data(known=False), small("patches.count=3", "width=200").patches, classes=3
    )
    assert found.unknown == 2
    assert found.data.targets.tolist() == [0, 0, 0, 1]


def test_no_patch_left_and_missing_masks_are_refused(small: Small) -> None:
    recipe = small("patches.count=3", "patches.black_level=200", "width=200").patches
    with pytest.raises(BadRecipe, match="no patch with metal and a known mask is left"):
        cut_training_patches(_training_data(), recipe, classes=3)
    bare = TrainingData(np.zeros((1, 2, 6), np.uint8), np.array([1]), np.array([0]), np.array([], np.int64))
    with pytest.raises(
        BadRecipe, match="expected masks and one class a sheet to label patches by, got no masks; set it to 1"
    ):
        cut_training_patches(bare, recipe, classes=2)


def test_the_sheet_is_its_most_suspicious_patch() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(12, 4, generator=generator)
    joined = join_patches(logits, 3)
    for sheet in range(4):
        patches = logits[3 * sheet : 3 * sheet + 3]
        worst = patches.softmax(1)[:, 0].argmin()
        assert (joined[sheet] == patches[worst]).all()


def test_a_model_of_patches_classifies_each_patch_as_a_model_of_its_size() -> None:
    whole = build_model(ModelSpec(name="adhoc", outputs=3, height=48, width=200, patches=4)).eval()
    small_spec = ModelSpec(name="adhoc", outputs=3, height=48, width=50)
    alone = build_model(small_spec).eval()
    alone.load_state_dict(whole.state_dict())
    images = torch.randn(2, 3, 48, 200, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = join_patches(alone(cut_patches(images, 4)), 4)
        assert torch.allclose(whole(images), expected, atol=1e-5)


def test_training_on_patches_gives_a_run_for_whole_sheets(
    folder: Callable[..., Path], small: Small, tmp_path: Path
) -> None:
    data = folder()
    for path in [*(data / "bar").iterdir(), *(data / "block").iterdir()]:
        gray = np.asarray(Image.open(path))
        mask = (gray > 230) | (gray < 20)
        Image.fromarray(mask.astype(np.uint8) * 255).save(data / path.parent.name / f"{path.stem}_mask.png")
    recipe = small("task=multiclass", "width=128", "patches.count=2", "batch_size=8", "balance.method=none")
    run = train_run(data, recipe=recipe, out=tmp_path / "run")
    assert run.metrics["balance"]["after"] != run.metrics["balance"]["before"]
    assert run.metrics["test"]["sheets"] > 0
    model, card = load_checkpoint(tmp_path / "run")
    assert (card.model.patches, model.patches) == (2, 2)
    with pytest.raises(BadInput, match="expected a model that sees whole sheets, got one that judges 2"):
        open_run(tmp_path / "run", data)
