"""The batches of one epoch: sheets, order and augmentation. The same seed and epoch give the same bytes.

Every epoch has a generator of its own, made from seed and epoch, so that a training resumed after epoch 7 has
the same batches in epoch 8 as an uninterrupted one.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from steelsight.sheets.images.augment import augment
from steelsight.training.dataset import TrainingData
from steelsight.training.recipe import BalanceRecipe, Recipe

__all__ = [
    "Batch",
    "ahead",
    "class_weights",
    "draw_order",
    "effective_weights",
    "epoch_batches",
    "make_batch",
    "rarest_types",
    "sheet_weights",
    "weights_of",
]

Positions = Int[np.ndarray, " p"]
T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """The inputs of one step, on the CPU."""

    gray: Tensor  # (n, h, w) uint8
    targets: Tensor  # (n,) int64, or (n, k) float32 for multilabel
    shares: Tensor | None = None  # (n, h, w) uint8, masks as in data.Masks
    known: Tensor | None = None  # (n,) bool
    wrong: Tensor | None = None  # (n, h, w) uint8, as in Intervention
    cohorts: Tensor | None = None  # (n,) int64


def epoch_batches(data: TrainingData, recipe: Recipe, rng: np.random.Generator) -> Iterator[Batch]:
    """The training sheets once, in a new order, changed as the recipe's `augment` says.

    With balance.method = sampling it is as many draws with replacement, rare classes more often; the odds of
    an intervention take precedence.
    """
    order = draw_order(data, recipe.balance, rng)
    for start in range(0, order.size, recipe.batch_size):
        yield make_batch(data, recipe, order[start : start + recipe.batch_size], rng)


def draw_order(data: TrainingData, balance: BalanceRecipe, rng: np.random.Generator) -> Positions:
    """Positions of the training sheets in the order of one epoch."""
    odds = data.intervention.odds
    if odds is None and balance.method != "sampling":
        return rng.permutation(data.train)
    weights = sheet_weights(data, balance) if odds is None else odds[data.train]
    drawn: Positions = rng.choice(data.train, data.train.size, p=weights / weights.sum())
    return drawn


def sheet_weights(data: TrainingData, balance: BalanceRecipe) -> Float[np.ndarray, " p"]:
    """Sampling weight of each training sheet, mean 1.

    A sheet of class c whose group has m sheets of c: u = m^-group_power, its weight u (sum of u in c)^-power.
    Without groups it is `weights_of`; with both powers 1 all classes have one weight, and all groups in a
    class. Multilabel: a sheet counts as its rarest type.
    """
    labels = rarest_types(data.targets[data.train])
    if balance.group_power == 0 or data.groups is None:
        weights: Float[np.ndarray, " p"] = weights_of(labels, balance)[labels]
        return weights
    pairs = np.stack([labels, data.groups[data.train]], axis=1)
    _, pair, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    within = counts[pair.reshape(-1)] ** -balance.group_power
    raw = within * np.bincount(labels, within)[labels] ** -balance.power
    scaled: Float[np.ndarray, " p"] = raw / raw.mean()
    return scaled


def rarest_types(
    targets: Int[np.ndarray, " n"] | Float[np.ndarray, "n k"],
) -> Int[np.ndarray, " n"]:
    """One class a sheet: its own, or for multilabel 0 without a type and 1 + its rarest type with any.

    >>> rarest_types(np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])).tolist()
    [2, 1, 0]
    """
    if targets.ndim == 1:
        return targets.astype(np.int64)
    counts = np.where(targets > 0, targets.sum(axis=0), np.inf)
    rarest: Int[np.ndarray, " n"] = np.where(targets.any(axis=1), 1 + counts.argmin(axis=1), 0)
    return rarest


def weights_of(
    labels: Int[np.ndarray, " n"], balance: BalanceRecipe, classes: int | None = None
) -> Float[np.ndarray, " k"]:
    """The class weights of a recipe, (k,)."""
    if balance.weighting == "effective":
        return effective_weights(labels, balance.beta, classes)
    return class_weights(labels, balance.power, classes)


def effective_weights(
    labels: Int[np.ndarray, " n"], beta: float, classes: int | None = None
) -> Float[np.ndarray, " k"]:
    """One over the effective number of sheets, (1 - beta) / (1 - beta^count), scaled to mean 1 over sheets.

    beta 0 gives equal weights; as beta approaches 1, inverse frequency. 0 where a class has no sheet.
    source  Cui et al. 2019, eq. 2

    >>> effective_weights(np.array([0, 0, 0, 1]), 0.0).tolist()
    [1.0, 1.0]
    """
    counts = np.bincount(labels, minlength=classes or 0)
    weights = np.where(counts > 0, (1 - beta) / (1 - beta ** np.maximum(counts, 1)), 0.0)
    scaled: Float[np.ndarray, " k"] = weights * labels.size / (weights * counts).sum()
    return scaled


def class_weights(
    labels: Int[np.ndarray, " n"], power: float, classes: int | None = None
) -> Float[np.ndarray, " k"]:
    """count^-power for each class, scaled so that the mean over the sheets is 1; 0 where a class has none."""
    counts = np.bincount(labels, minlength=classes or 0)
    weights = np.where(counts > 0, np.maximum(counts, 1.0) ** -power, 0.0)
    scaled: Float[np.ndarray, " k"] = weights * labels.size / (weights * counts).sum()
    return scaled


def make_batch(data: TrainingData, recipe: Recipe, rows: Positions, rng: np.random.Generator) -> Batch:
    """Sheets at these positions, changed as the recipe's `augment` says."""
    masks, intervention = data.masks, data.intervention
    maps = {"shares": None if masks is None else masks.shares, "wrong": intervention.wrong}
    present = {name: each[rows] for name, each in maps.items() if each is not None}
    images = (
        data.images[rows]
        if intervention.versions is None
        else intervention.versions.draw(data.images, rows, rng)
    )
    stack = np.stack(list(present.values())) if present else None
    gray, moved = augment(images, recipe.augment, rng, masks=stack)
    changed = {} if moved is None else dict(zip(present, map(torch.from_numpy, moved), strict=True))
    return Batch(
        gray=torch.from_numpy(np.asarray(gray)),
        targets=torch.from_numpy(data.targets[rows]),
        shares=changed.get("shares"),
        known=None if masks is None else torch.from_numpy(masks.known[rows]),
        wrong=changed.get("wrong"),
        cohorts=None if intervention.cohorts is None else torch.from_numpy(intervention.cohorts[rows]),
    )


def ahead(source: Callable[[], Iterator[T]], depth: int = 2) -> Iterator[T]:
    """Prepare the next items in a thread while one is in use; exceptions are raised in the caller."""
    ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: T | None, error: BaseException | None) -> bool:
        while not stop.is_set():
            try:
                ready.put((item, error), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in source():
                if not put(item, None):
                    return
        except BaseException as error:  # noqa: BLE001  raised again in the caller's thread
            put(None, error)
        else:
            put(None, None)

    thread = threading.Thread(target=work, name="steelsight-batches", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stop.set()
        thread.join()
