"""Fits the head on frozen features: a linear probe, and a starting point for fine-tuning.

With few groups per class, fine-tuning from a random head distorts pretrained features (Kumar et al. 2022).
Here the features stay as they are, the regularised head is fitted to them, and epochs of training may follow.
Where logits are linear in the pooled features and no masks are used, the fit is a logistic regression;
otherwise it is gradient descent on stored feature maps (probe_steps). Standardisation is folded into the
head, so the checkpoint is an ordinary one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from steelsight.errors import BadRecipe
from steelsight.models.catalog import SheetClassifier
from steelsight.models.heads import LINEAR_POOLINGS, AverageMaxHead, DirectHead
from steelsight.sheets.images.augment import AugmentSpec
from steelsight.streams import stream
from steelsight.training.dataset import Targets, TrainingData
from steelsight.training.loop.batches import Batch, make_batch, sheet_weights
from steelsight.training.loop.losses import sheet_loss
from steelsight.training.loop.precision import Precision, in_precision
from steelsight.training.loop.probe_steps import StoredMaps, descend
from steelsight.training.loop.progress import TrainingProgress
from steelsight.training.loop.speed import fast_features
from steelsight.training.recipe import ProbeRecipe, Recipe

__all__ = ["ProbeFit", "fit_head"]

Matrix = Float[np.ndarray, "c d"]
Vector = Float[np.ndarray, " c"]

BATCH = 64
STEPS = 1000  # of L-BFGS, at most; a hundred are common
FLAT = 1e-3  # a feature that varies less is a constant
UNSEEN = -10.0  # logits of a class without training sheets stay this far below the lowest bias


@dataclass(frozen=True)
class ProbeFit:
    """Loss and speed of the fit."""

    loss: float  # plain cross entropy over all copies of the sheets
    seconds: float
    images_per_second: float


def fit_head(
    model: SheetClassifier,
    data: TrainingData,
    recipe: Recipe,
    *,
    seed: int,
    precision: Precision,
    progress: TrainingProgress,
) -> ProbeFit:
    """Fit the head in place; the features stay as they are.

    Each training sheet is used once unchanged and `probe.copies` times augmented, weighted by the recipe's
    `balance`. The objective is the mean loss + penalty/2 |w|^2, w on standardised features, so that one
    penalty fits any number of sheets. Gradient descent holds all maps in memory: copies x positions x
    channels x 2 bytes a sheet.

    raises  BadRecipe where the training sheets are all of one class, or the head is a study head
    source  Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features", ICLR
    """
    head = model.head
    if not isinstance(head, DirectHead | AverageMaxHead):
        raise BadRecipe(
            f"probe.enabled: expected the direct head, got {type(head).__name__}; set model.head = direct"
        )
    if data.targets.ndim == 1 and np.unique(data.targets[data.train]).size < 2:
        raise BadRecipe(
            "probe.enabled: expected training sheets of at least two classes, got one; "
            "bring sheets of another class or set probe.enabled = false"
        )
    started = time.perf_counter()
    copies = 1 + recipe.probe.copies
    targets = np.concatenate([data.targets[data.train]] * copies)
    weights = np.tile(_weights(data, recipe), copies)
    parts = _feature_maps(model, data, recipe, seed, precision, progress)
    if recipe.model.pooling in LINEAR_POOLINGS and data.masks is None:
        loss = _fit_linear(head, parts, targets, weights, recipe.probe)
    else:
        stored = StoredMaps.gather(parts, targets, weights, data.clean)
        loss = descend(head, stored, recipe, generator=torch.Generator().manual_seed(seed))
    seconds = time.perf_counter() - started
    return ProbeFit(loss, seconds, len(targets) / seconds)


def _weights(data: TrainingData, recipe: Recipe) -> Float[np.ndarray, " p"]:
    if data.intervention.odds is not None:
        odds: Float[np.ndarray, " p"] = data.intervention.odds[data.train]
        return odds
    if recipe.balance.method not in ("loss", "sampling") or recipe.task == "multilabel":
        return np.ones(data.train.size)
    return sheet_weights(data, recipe.balance)


def _feature_maps(
    model: SheetClassifier,
    data: TrainingData,
    recipe: Recipe,
    seed: int,
    precision: Precision,
    progress: TrainingProgress,
) -> Iterator[tuple[Float[Tensor, "b k gh gw"], Batch]]:
    """Feature maps of the training sheets in order with their batches: unchanged first, then each copy."""
    rng = stream(seed, "head-fit")  # epochs, which have generators of their own, count from 1
    steps = -(-data.train.size // BATCH)
    device = next(model.parameters()).device
    unchanged = recipe.model_copy(update={"augment": AugmentSpec()})
    model.eval()
    for copy in range(1 + recipe.probe.copies):
        for step in range(steps):
            rows = data.train[step * BATCH : (step + 1) * BATCH]
            batch = make_batch(data, recipe if copy else unchanged, rows, rng)
            with torch.no_grad(), in_precision(precision, device):
                features = fast_features(model.features, batch.gray.to(device))
            yield features, batch
            progress.step(copy * steps + step + 1, (1 + recipe.probe.copies) * steps)


def _fit_linear(
    head: DirectHead | AverageMaxHead,
    parts: Iterator[tuple[Float[Tensor, "b k gh gw"], Batch]],
    targets: Targets,
    weights: Float[np.ndarray, " n"],
    recipe: ProbeRecipe,
) -> float:
    """Fit by logistic regression; returns the plain loss over all copies."""
    pooled = np.concatenate([head.pooled(maps.float()).cpu().numpy() for maps, _ in parts])
    mean, spread = pooled.mean(0), pooled.std(0)
    spread[spread < FLAT] = np.inf  # weight 0
    weight, bias = _regress((pooled - mean) / spread, targets, weights, recipe, head.conv.out_channels)
    weight = weight / spread
    bias = bias - weight @ mean
    head.set_linear(torch.from_numpy(weight), torch.from_numpy(bias))
    logits = torch.from_numpy((pooled @ weight.T + bias).astype(np.float32))
    return float(sheet_loss(logits, torch.from_numpy(targets)))


def _regress(
    features: Float[np.ndarray, "n d"],
    targets: Targets,
    weights: Float[np.ndarray, " n"],
    recipe: ProbeRecipe,
    outputs: int,
) -> tuple[Matrix, Vector]:
    """Weights (c, d) and biases (c,) of every output."""
    if targets.ndim == 1:
        return _regress_classes(features, targets, weights, recipe, outputs)
    rows = [_regress_classes(features, column.astype(np.int64), weights, recipe, 2) for column in targets.T]
    weight = np.stack([row[1] - row[0] for row, _ in rows])
    return weight, np.array([bias[1] - bias[0] for _, bias in rows])


def _regress_classes(
    features: Float[np.ndarray, "n d"],
    labels: Targets,
    weights: Float[np.ndarray, " n"],
    recipe: ProbeRecipe,
    outputs: int,
) -> tuple[Matrix, Vector]:
    count = np.unique(labels).size
    if count < 2:  # all sheets or no sheet have the type: only the bias is fitted
        return np.zeros((outputs, features.shape[1])), np.where(np.arange(outputs) == labels[0], 0.0, UNSEEN)
    strength = 1 / (recipe.penalty * len(labels))  # scikit-learn uses the sum of the losses, not the mean
    if count == 2:  # one row w stands for -w/2 and w/2, whose squares sum to |w|^2 / 2
        strength *= 2
    fitted = LogisticRegression(C=strength, max_iter=STEPS).fit(features, labels, sample_weight=weights)
    weight, bias = fitted.coef_, fitted.intercept_
    if count == 2:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weights_of_all = np.zeros((outputs, features.shape[1]))
    weights_of_all[fitted.classes_] = weight
    biases = np.full(outputs, bias.min() + UNSEEN)
    biases[fitted.classes_] = bias
    return weights_of_all, biases
