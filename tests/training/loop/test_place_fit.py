"""The place head learns from masks where defects are, and nothing else of the network changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from steelsight.errors import BadRecipe
from steelsight.models.catalog import SheetClassifier, build_model
from steelsight.models.inputs import to_input
from steelsight.training.dataset import Masks, TrainingData
from steelsight.training.loop.fit import fit
from steelsight.training.loop.place_fit import fit_places
from steelsight.training.recipe import Recipe

Small = Callable[..., Recipe]
SETTINGS = ("places.hidden=8", "places.epochs=60", "max_epochs=1")


def _sheets(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (n, 48, 64), labels and masks: of class 1 a bright square, of class 2 a dark one."""
    rng = np.random.default_rng(seed)
    images = np.clip(rng.normal(110, 8, (count, 48, 64)), 0, 255)
    labels = np.arange(count) % 3
    shares = np.zeros((count, 48, 64), np.uint8)
    for row, label in enumerate(labels):
        if label:
            top, left = int(rng.integers(0, 32)), int(rng.integers(0, 48))
            images[row, top : top + 16, left : left + 16] = 240 if label == 1 else 10
            shares[row, top : top + 16, left : left + 16] = 255
    return images.astype(np.uint8), labels, shares


@pytest.fixture
def masked() -> TrainingData:
    images, labels, shares = _sheets(60, 0)
    known = np.ones(60, dtype=bool)
    return TrainingData(images, labels, np.arange(60), np.arange(0), Masks(shares, known))


def _fitted(data: TrainingData, recipe: Recipe, **changes: object) -> SheetClassifier:
    model = build_model(recipe.model_spec(3))
    fit_places(model, replace(data, **changes), recipe.places, seed=0)
    return model


def test_the_strongest_place_lies_in_the_defect(masked: TrainingData, small: Small) -> None:
    recipe = small(*SETTINGS, "model.name=squeezenet_reduced", "loss.masks=1")
    model = _fitted(masked, recipe)
    images, labels, shares = _sheets(60, 1)
    with torch.no_grad():
        places = model.place_map(to_input(torch.from_numpy(images))).numpy()
    grid = places.shape[2:]
    hits, right = [], []
    for row, label in enumerate(labels):
        if label:
            at = np.unravel_index(places[row, label].argmax(), grid)
            y, x = (
                (place + 0.5) * size / cells for place, size, cells in zip(at, (48, 64), grid, strict=True)
            )
            hits.append(bool(shares[row, int(y), int(x)]))
            right.append(places[row, label].max() > places[row, 3 - label].max())
        else:
            assert np.median(places[row, 1:]) < 0
        assert not places[row, 0].any()  # the defect-free class has no places
    assert np.mean(hits) > 0.9  # by chance .08
    assert np.mean(right) > 0.9


def test_defects_smaller_than_a_place_are_learnt_where_they_cover_it_most(small: Small) -> None:
    rng = np.random.default_rng(0)
    images = np.clip(rng.normal(110, 8, (60, 48, 64)), 0, 255).astype(np.uint8)
    labels = np.arange(60) % 2
    spots = rng.integers(1, (47, 63), (60, 2))
    shares = np.zeros_like(images)
    for row in np.flatnonzero(labels):
        images[row, *spots[row]] = 255
        shares[row, *spots[row]] = 255  # one pixel, .06 of a place
    data = TrainingData(images, labels, np.arange(60), np.arange(0), Masks(shares, np.ones(60, dtype=bool)))
    recipe = small(*SETTINGS, "model.name=squeezenet_reduced", "loss.masks=1")
    model = build_model(recipe.model_spec(2))
    assert fit_places(model, data, recipe.places, seed=0) < 0.5
    with torch.no_grad():
        places = model.place_map(to_input(torch.from_numpy(images))).numpy()
    grid = places.shape[2:]
    near = [
        np.abs((np.array(np.unravel_index(places[row, 1].argmax(), grid)) + 0.5) * 48 / grid[0] - spots[row])
        for row in np.flatnonzero(labels)
    ]
    assert np.mean(np.max(near, axis=1) < 8) > 0.8  # by chance .06


def test_nothing_else_changes_and_a_repetition_gives_the_same(masked: TrainingData, small: Small) -> None:
    recipe = small(*SETTINGS)
    fresh = build_model(recipe.model_spec(3)).state_dict()
    one, two = (_fitted(masked, recipe).state_dict() for _ in range(2))
    for name, values in one.items():
        assert torch.equal(values, two[name])
        assert torch.equal(values, fresh[name]) is not name.startswith("places.")


def test_sheets_with_unknown_masks_are_left_out(masked: TrainingData, small: Small) -> None:
    recipe = small(*SETTINGS, "places.epochs=2")
    assert masked.masks is not None
    known = masked.masks.known.copy()
    known[10:20] = False
    spoiled = masked.masks.shares.copy()
    spoiled[10:20] = 255
    first = _fitted(masked, recipe, masks=Masks(masked.masks.shares, known)).state_dict()
    second = _fitted(masked, recipe, masks=Masks(spoiled, known)).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kept", ["nothing", "no mask", "clean"])
def test_without_masks_of_defects_it_is_refused(kept: str, masked: TrainingData, small: Small) -> None:
    recipe = small(*SETTINGS)
    assert masked.masks is not None
    masks = {
        "nothing": None,
        "no mask": Masks(masked.masks.shares, np.zeros(60, dtype=bool)),
        "clean": Masks(np.zeros_like(masked.masks.shares), np.ones(60, dtype=bool)),
    }[kept]
    with pytest.raises(BadRecipe, match="expected training sheets with masks of their defects, got none"):
        _fitted(masked, recipe, masks=masks)
    with pytest.raises(BadRecipe, match="expected a model with a place head, got none"):
        fit_places(build_model(small().model_spec(3)), masked, recipe.places, seed=0)


def test_a_training_ends_with_the_fit(masked: TrainingData, small: Small) -> None:
    recipe = small(*SETTINGS, "places.epochs=2")
    models = [build_model(each.model_spec(3)) for each in (recipe, small("max_epochs=1"))]
    fit(models[0], masked, recipe, seed=0)
    fit(models[1], masked, small("max_epochs=1"), seed=0)
    own = models[0].state_dict()
    assert own["places.classes.weight"].any()
    assert all(torch.allclose(values, own[name]) for name, values in models[1].state_dict().items())


def test_without_epochs_only_the_place_head_is_fitted(masked: TrainingData, small: Small) -> None:
    recipe = small(*SETTINGS, "places.epochs=2", "max_epochs=0")
    model = build_model(recipe.model_spec(3))
    before = {name: values.clone() for name, values in model.state_dict().items()}
    fitted = fit(model, masked, recipe, seed=0)
    assert [row.epoch for row in fitted.history] == [0]
    assert fitted.places_loss is not None
    assert fitted.history[0].train_loss > 0
    for name, values in model.state_dict().items():
        assert torch.equal(values, before[name]) is not name.startswith("places.")


def test_masks_that_cannot_be_used_are_refused_before_the_first_epoch(
    masked: TrainingData, small: Small, tmp_path: Path
) -> None:
    recipe = small(*SETTINGS)
    state = tmp_path / "state"
    with pytest.raises(BadRecipe, match=r"or set places\.hidden = 0"):
        fit(build_model(recipe.model_spec(3)), replace(masked, masks=None), recipe, seed=0, state_path=state)
    assert not state.exists()
    few = small(*SETTINGS, "places.sheets=1")  # the first sheet, which is defect-free
    with pytest.raises(BadRecipe, match="got none among 1 with known masks"):
        _fitted(masked, few)


def test_a_fitted_head_is_the_same_with_a_place_head(masked: TrainingData, small: Small) -> None:
    probe = ("probe.enabled=true", "copies=0", "max_epochs=0", "model.pooling=average", "loss.masks=0")
    recipes = (small(*SETTINGS, *probe), small(*probe))
    states = []
    for recipe, data in zip(recipes, (masked, replace(masked, masks=None)), strict=True):
        model = build_model(recipe.model_spec(3))
        fit(model, data, recipe, seed=0)
        states.append(model.state_dict())
    assert all(torch.equal(values, states[0][name]) for name, values in states[1].items())


def test_types_alone_and_several_types(masked: TrainingData, small: Small) -> None:
    recipe = small(*SETTINGS, "places.epochs=2", "task=multilabel")
    types = np.stack([masked.targets == 1, masked.targets == 2], axis=1).astype(np.float32)
    model = build_model(recipe.model_spec(2))
    fit_places(model, replace(masked, targets=types, clean=None), recipe.places, seed=0)
    with torch.no_grad():
        assert model.place_map(to_input(torch.from_numpy(masked.images))).shape[1] == 2
