"""A head fitted on features as they are: a probe of what they hold, and a start for fine-tuning.

With a handful of groups a class, epochs of gradient steps distort pretrained features before the head knows
what to ask of them (Kumar et al. 2022). Here features stay, the best regularised head is found at once, and
the usual epochs may follow. Where logits are linear in pooled features and no masks teach, that is a logistic
regression; otherwise gradient steps on stored feature maps (probe_steps). Standardisation is folded into the
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
    """How the fit went."""

    loss: float  # plain cross entropy over all copies
    seconds: float
    images_per_second: float


def fit_head(
    model: SheetClassifier,
    lesson: TrainingData,
    recipe: Recipe,
    *,
    seed: int,
    precision: Precision,
    watcher: TrainingProgress,
) -> ProbeFit:
    """Give the head the weights that suit its features best; the features stay as they are.

    Each training sheet counts once as it is and `probe.copies` times changed as the recipe's `augment` says,
    weighted by the recipe's `balance`. Minimised is the mean loss + penalty/2 |w|^2, w on standardised
    features, so that the same penalty suits any number of sheets. All maps are held in memory where steps
    are taken: copies x places x channels x 2 bytes a sheet.

    raises  BadRecipe where the training sheets are all of one class, or the head is a study head
    source  Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features", ICLR
    """
    head = model.head
    if not isinstance(head, DirectHead | AverageMaxHead):
        raise BadRecipe(
            f"probe.enabled: expected the direct head, got {type(head).__name__}; set model.head = direct"
        )
    if lesson.targets.ndim == 1 and np.unique(lesson.targets[lesson.train]).size < 2:
        raise BadRecipe(
            "probe.enabled: the training sheets are all of one class, so there is nothing to tell apart; "
            "bring sheets of another or set probe.enabled = false"
        )
    started = time.perf_counter()
    copies = 1 + recipe.probe.copies
    targets = np.concatenate([lesson.targets[lesson.train]] * copies)
    weights = np.tile(_weights(lesson, recipe), copies)
    parts = _feature_maps(model, lesson, recipe, seed, precision, watcher)
    if recipe.model.pooling in LINEAR_POOLINGS and lesson.masks is None:
        loss = _fit_linear(head, parts, targets, weights, recipe.probe)
    else:
        stored = StoredMaps.gather(parts, targets, weights)
        loss = descend(head, stored, recipe, generator=torch.Generator().manual_seed(seed))
    seconds = time.perf_counter() - started
    return ProbeFit(loss, seconds, len(targets) / seconds)


def _weights(lesson: TrainingData, recipe: Recipe) -> Float[np.ndarray, " p"]:
    if lesson.remedy.odds is not None:
        odds: Float[np.ndarray, " p"] = lesson.remedy.odds[lesson.train]
        return odds
    if recipe.balance.method not in ("loss", "sampling") or recipe.task == "multilabel":
        return np.ones(lesson.train.size)
    return sheet_weights(lesson, recipe.balance)


def _feature_maps(
    model: SheetClassifier,
    lesson: TrainingData,
    recipe: Recipe,
    seed: int,
    precision: Precision,
    watcher: TrainingProgress,
) -> Iterator[tuple[Float[Tensor, "b k gh gw"], Batch]]:
    """Features of the training sheets in order, as they are, then copy after copy, and what is known."""
    rng = stream(seed, "head-fit")  # epochs, which have generators of their own, count from 1
    steps = -(-lesson.train.size // BATCH)
    device = next(model.parameters()).device
    still = recipe.model_copy(update={"augment": AugmentSpec()})
    model.eval()
    for copy in range(1 + recipe.probe.copies):
        for step in range(steps):
            rows = lesson.train[step * BATCH : (step + 1) * BATCH]
            batch = make_batch(lesson, recipe if copy else still, rows, rng)
            with torch.no_grad(), in_precision(precision, device):
                features = fast_features(model.features, batch.gray.to(device))
            yield features, batch
            watcher.step(copy * steps + step + 1, (1 + recipe.probe.copies) * steps)


def _fit_linear(
    head: DirectHead | AverageMaxHead,
    parts: Iterator[tuple[Float[Tensor, "b k gh gw"], Batch]],
    targets: Targets,
    weights: Float[np.ndarray, " n"],
    recipe: ProbeRecipe,
) -> float:
    """The optimum, by logistic regression; returns the plain loss over all copies."""
    described = np.concatenate([head.pooled(maps.float()).cpu().numpy() for maps, _ in parts])
    mean, spread = described.mean(0), described.std(0)
    spread[spread < FLAT] = np.inf  # weight 0
    weight, bias = _regress((described - mean) / spread, targets, weights, recipe, head.conv.out_channels)
    weight = weight / spread
    bias = bias - weight @ mean
    head.set_linear(torch.from_numpy(weight), torch.from_numpy(bias))
    logits = torch.from_numpy((described @ weight.T + bias).astype(np.float32))
    return float(sheet_loss(logits, torch.from_numpy(targets)))


def _regress(
    described: Float[np.ndarray, "n d"],
    targets: Targets,
    weights: Float[np.ndarray, " n"],
    recipe: ProbeRecipe,
    outputs: int,
) -> tuple[Matrix, Vector]:
    """Weights and biases of every output."""
    if targets.ndim == 1:
        return _regress_classes(described, targets, weights, recipe, outputs)
    rows = [_regress_classes(described, column.astype(np.int64), weights, recipe, 2) for column in targets.T]
    weight = np.stack([row[1] - row[0] for row, _ in rows])
    return weight, np.array([bias[1] - bias[0] for _, bias in rows])


def _regress_classes(
    described: Float[np.ndarray, "n d"],
    labels: Targets,
    weights: Float[np.ndarray, " n"],
    recipe: ProbeRecipe,
    outputs: int,
) -> tuple[Matrix, Vector]:
    count = np.unique(labels).size
    if count < 2:  # a type that all sheets have, or none: nothing but its bias can say so
        return np.zeros((outputs, described.shape[1])), np.where(np.arange(outputs) == labels[0], 0.0, UNSEEN)
    strength = 1 / (recipe.penalty * len(labels))  # scikit-learn sums the loss where we take its mean
    if count == 2:  # its one row w stands for -w/2 and w/2, of which |w|^2 is twice the squares
        strength *= 2
    found = LogisticRegression(C=strength, max_iter=STEPS).fit(described, labels, sample_weight=weights)
    weight, bias = found.coef_, found.intercept_
    if count == 2:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    everything = np.zeros((outputs, described.shape[1]))
    everything[found.classes_] = weight
    biases = np.full(outputs, bias.min() + UNSEEN)
    biases[found.classes_] = bias
    return everything, biases
