"""The probe: the best regularised head on features that stay, folded into ordinary weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from steelsight.errors import BadRecipe
from steelsight.models.catalog import SheetClassifier, build_model
from steelsight.models.inputs import to_input
from steelsight.training.dataset import Masks, TrainingData
from steelsight.training.loop.fit import FitResult, fit
from steelsight.training.loop.probe import fit_head
from steelsight.training.loop.probe_steps import _fold
from steelsight.training.loop.progress import NoProgress
from steelsight.training.predict import predict_logits
from steelsight.training.recipe import Recipe

Small = Callable[..., Recipe]

PROBE = ("probe.enabled=true", "copies=2", "max_epochs=0", "balance.method=none")
POOLINGS = pytest.mark.parametrize("pooling", ["average", "average+max"])


def _probe(data: TrainingData, recipe: Recipe, outputs: int = 2) -> SheetClassifier:
    model = build_model(recipe.model_spec(outputs))
    fit_head(model, data, recipe, seed=0, precision="fp32", progress=NoProgress())
    return model


def _pooled(model: SheetClassifier, data: TrainingData) -> np.ndarray:
    with torch.no_grad():
        features = model.features(to_input(torch.from_numpy(data.images[data.train])))
        return np.asarray(model.head.pooled(features), dtype=np.float64)


def _descend(described: np.ndarray, labels: np.ndarray, weights: np.ndarray, penalty: float) -> np.ndarray:
    """Reference: plain gradient descent on the mean loss + penalty/2 |w|^2; returns logits of the sheets."""
    spread = described.std(0)
    kept = spread > 1e-3
    x = torch.from_numpy((described[:, kept] - described[:, kept].mean(0)) / spread[kept])
    weight = torch.zeros(int(labels.max()) + 1, x.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(len(weight), dtype=torch.float64, requires_grad=True)
    targets = torch.from_numpy(labels)
    for _ in range(3000):
        losses = torch.nn.functional.cross_entropy(x @ weight.T + bias, targets, reduction="none")
        total = (losses * torch.from_numpy(weights)).mean() + penalty / 2 * weight.square().sum()
        gradients = torch.autograd.grad(total, [weight, bias])
        with torch.no_grad():
            weight -= 0.05 * gradients[0]
            bias -= 0.05 * gradients[1]
    return np.asarray((x @ weight.T + bias).detach())


@POOLINGS
@pytest.mark.parametrize("outputs", [2, 3])
def test_the_probe_is_the_regularised_optimum(
    data: TrainingData, small: Small, pooling: str, outputs: int
) -> None:
    if outputs == 3:
        labels = np.arange(18) % 3
        data = dataclasses.replace(data, targets=labels)
    recipe = small(*PROBE, "copies=0", f"pooling={pooling}", "penalty=0.5")
    model = _probe(data, recipe, outputs)
    labels = data.targets[data.train]
    expected = _descend(_pooled(model, data), labels, np.ones(labels.size), 0.5)
    found = predict_logits(model, data.images[data.train])
    centred = found - found.mean(1, keepdims=True)  # softmax knows logits up to a constant
    assert centred == pytest.approx(
        expected - expected.mean(1, keepdims=True), abs=5e-3
    )  # L-BFGS's tolerance


def test_balance_weighs_the_sheets(data: TrainingData, small: Small) -> None:
    labels = np.array([0] * 9 + [1] * 3 + [0, 1] * 3)
    data = dataclasses.replace(data, targets=labels, groups=np.arange(18) // 2)
    balanced = small(*PROBE, "copies=0", "pooling=average", "balance.method=sampling", "power=1", "penalty=1")
    model = _probe(data, balanced)
    expected = _descend(_pooled(model, data), labels[:12], np.where(labels[:12] == 0, 2 / 3, 2.0), 1.0)
    found = predict_logits(model, data.images[:12])
    assert found[:, 1] - found[:, 0] == pytest.approx(expected[:, 1] - expected[:, 0], abs=5e-3)


def test_features_stay_and_same_seed_gives_the_same_head(data: TrainingData, small: Small) -> None:
    recipe = small(*PROBE, "pooling=average+max")
    start = build_model(recipe.model_spec(2))
    one, two = _probe(data, recipe), _probe(data, recipe)
    for (name, before), after in zip(
        start.features.state_dict().items(), one.features.parameters(), strict=True
    ):
        assert torch.equal(before, after), name
    assert torch.equal(one.head.conv.weight, two.head.conv.weight)
    assert not torch.equal(one.head.conv.weight, start.head.conv.weight)


def _fit(data: TrainingData, recipe: Recipe, outputs: int = 2) -> tuple[SheetClassifier, FitResult]:
    model = build_model(recipe.model_spec(outputs))
    return model, fit(model, data, recipe, seed=0)


def test_the_probe_alone_is_epoch_0(data: TrainingData, small: Small) -> None:
    model, fitted = _fit(data, small(*PROBE, "pooling=average+max", "penalty=0.05"))
    assert [row.epoch for row in fitted.history] == [0]
    assert (fitted.best_epoch, fitted.epochs, fitted.stopped_early) == (0, 0, False)
    assert not model.training
    right = predict_logits(model, data.images[data.train]).argmax(1) == data.targets[data.train]
    assert right.mean() > 0.9


def test_epochs_start_from_the_probe(data: TrainingData, small: Small) -> None:
    settings = (*PROBE[:2], "pooling=average+max", "penalty=0.05", "learning_rate=1e-9", "ema=0.9")
    alone, _ = _fit(data, small(*settings, "max_epochs=0"))
    on, fitted = _fit(data, small(*settings, "max_epochs=2"))
    assert [row.epoch for row in fitted.history] == [0, 1, 2]
    assert fitted.epochs == 2
    assert torch.allclose(on.head.conv.weight, alone.head.conv.weight, atol=1e-7)  # two idle epochs


def test_multilabel_fits_one_type_at_a_time(data: TrainingData, small: Small) -> None:
    flags = np.stack([data.targets, 1 - data.targets], axis=1).astype(np.float32)
    recipe = small(*PROBE, "task=multilabel", "pooling=average", "penalty=0.05", "copies=0")
    logits = predict_logits(_probe(dataclasses.replace(data, targets=flags), recipe), data.images)
    assert ((logits > 0) == (flags > 0))[data.train].mean() > 0.9
    assert logits[:, 0] == pytest.approx(-logits[:, 1], abs=1e-3)  # opposite questions


def test_a_class_without_training_sheets_is_practically_never_predicted(
    data: TrainingData, small: Small
) -> None:
    model = _probe(data, small(*PROBE, "pooling=average"), outputs=4)
    assert predict_logits(model, data.images).argmax(1).max() < 2


def test_one_class_alone_is_refused(data: TrainingData, small: Small) -> None:
    alone = dataclasses.replace(data, targets=np.zeros(18, dtype=np.int64))
    with pytest.raises(BadRecipe, match="expected training sheets of at least two classes, got one"):
        _probe(alone, small(*PROBE, "pooling=average"))
    with pytest.raises(BadRecipe, match="expected the direct head, got LinearHead"):
        _probe(data, small("head=study", "pooling=average"))


BENT = ("pooling=lse", "pooling=max", "pooling=top")


@pytest.mark.parametrize("pooling", [*BENT, "pooling=average", "pooling=average+max"])
def test_gradient_steps_fit_every_pooling(data: TrainingData, small: Small, pooling: str) -> None:
    shares = np.where(data.images > 200, 255, 0).astype(np.uint8)
    masked = dataclasses.replace(data, masks=Masks(shares, np.ones(18, dtype=bool)))
    recipe = small(*PROBE, pooling, "copies=1", "penalty=0.01", "masks=0.5", "steps=150", "mask_share=0.02")
    model = _probe(masked, recipe)
    right = predict_logits(model, data.images[data.train]).argmax(1) == data.targets[data.train]
    assert right.mean() > 0.9


def test_steps_end_near_the_optimum_where_it_is_known(data: TrainingData, small: Small) -> None:
    """Masks of weight nearly 0 send a linear head down the other road to the same place."""
    settings = (*PROBE, "copies=0", "pooling=average", "penalty=0.5", "steps=600")
    nowhere = Masks(np.zeros_like(data.images), np.zeros(18, dtype=bool))
    masked = dataclasses.replace(data, masks=nowhere)
    exact = predict_logits(_probe(data, small(*settings)), data.images[data.train])
    stepped = predict_logits(_probe(masked, small(*settings, "masks=1e-6")), data.images[data.train])
    signs = data.targets[data.train] * 2 - 1
    assert np.corrcoef(exact[:, 1] - exact[:, 0], stepped[:, 1] - stepped[:, 0])[0, 1] > 0.95
    assert ((stepped[:, 1] - stepped[:, 0]) * signs > 0).all()


@pytest.mark.parametrize("pooling", [*BENT, "pooling=average+max"])
def test_standardisation_is_folded_in_exactly(data: TrainingData, small: Small, pooling: str) -> None:
    recipe = small(*PROBE, pooling)
    model = build_model(recipe.model_spec(2))
    student = build_model(recipe.model_spec(2), generator=torch.Generator().manual_seed(3)).head.eval()
    generator = torch.Generator().manual_seed(4)
    maps = torch.randn(5, student.conv.in_channels // (2 if "+" in pooling else 1), 3, 4, generator=generator)
    mean, spread = maps.mean((0, 2, 3)), maps.std((0, 2, 3))
    _fold(model.head, student, mean, spread)
    expected = student((maps - mean[:, None, None]) / spread[:, None, None])
    assert torch.allclose(model.head.eval()(maps), expected, atol=1e-5)


def test_gradient_steps_are_reproducible(data: TrainingData, small: Small) -> None:
    recipe = small(*PROBE, "pooling=lse", "steps=20")
    one, two = _probe(data, recipe), _probe(data, recipe)
    assert torch.equal(one.head.conv.weight, two.head.conv.weight)
